// The board described in ACPI tables (ACPI 2.0), and the script by which firmware places and links them.
#pragma once

#include <vector>

#include "base/types.hpp"

namespace vellum {

// Contents of the fw_cfg files etc/acpi/tables, etc/acpi/rsdp and etc/table-loader.
struct AcpiFiles {
    std::vector<u8> tables, root_pointer, loader;
};

AcpiFiles describe_board(u64 ram_bytes);

}  // namespace vellum
