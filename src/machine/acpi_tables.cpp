// RSDP, RSDT, FADT, FACS, DSDT, MADT and HPET of this board.
#include "machine/acpi_tables.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "devices/acpi_pm.hpp"
#include "devices/hpet.hpp"
#include "devices/io_apic.hpp"
#include "devices/pci.hpp"
#include "devices/piix3.hpp"
#include "devices/system_ports.hpp"
#include "machine/aml.hpp"
#include "machine/board_facts.hpp"

namespace vellum {

namespace {

using aml::Code;
using aml::join;
using aml::little_endian;

constexpr std::string_view tables_file = "etc/acpi/tables", root_file = "etc/acpi/rsdp";
constexpr u32 header_bytes = 36, checksum_at = 9;

void put(Code& bytes, std::size_t at, u64 value, std::size_t size) {
    Code from = little_endian(value, size);
    std::copy(from.begin(), from.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

// --- the loader's commands: entries of 128 bytes, names of 56

class LoaderScript {
 public:
    void allocate(std::string_view file, u32 alignment, bool below_1m) {
        begin(1);
        name(file), number(alignment, 4), number(below_1m ? 2 : 1, 1);
    }
    void add_pointer(std::string_view in, u32 at, std::string_view to) {
        begin(2);
        name(in), name(to), number(at, 4), number(4, 1);
    }
    void add_checksum(std::string_view in, u32 at, u32 first, u32 count) {
        begin(3);
        name(in), number(at, 4), number(first, 4), number(count, 4);
    }
    std::vector<u8> finish() {
        bytes_.resize(entries_ * entry_bytes);
        return bytes_;
    }

 private:
    static constexpr std::size_t entry_bytes = 128, name_bytes = 56;
    void begin(u32 command) {
        bytes_.resize(entries_++ * entry_bytes);
        number(command, 4);
    }
    void name(std::string_view text) {
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        bytes_.insert(bytes_.end(), name_bytes - text.size(), 0);
    }
    void number(u32 value, std::size_t size) {
        Code from = little_endian(value, size);
        bytes_.insert(bytes_.end(), from.begin(), from.end());
    }
    std::vector<u8> bytes_;
    std::size_t entries_ = 0;
};

// --- the DSDT

constexpr std::array<std::string_view, 4> links{"LNKA", "LNKB", "LNKC", "LNKD"};
constexpr std::array<std::string_view, 4> routes{"PRQA", "PRQB", "PRQC", "PRQD"};

Code isa_device(std::string_view name, std::string_view id, u32 number, const Code& resources) {
    return aml::device(name, join({aml::name("_HID", aml::eisa_id(id)), aml::name("_UID", aml::integer(number)),
                                   aml::name("_CRS", resources)}));
}

Code isa_bridge() {
    using namespace aml;
    Code com[2];
    for (u32 i = 0; i < 2; ++i)
        com[i] =
            isa_device(i ? "COM2" : "COM1", "PNP0501", i + 1, resources({io(serial_ports[i], 8), irq(serial_irqs[i])}));
    return device(
        "ISA", join({name("_ADR", integer(1 << 16)), pci_config_bytes("PIRQ", Piix3::first_route, routes),
                     isa_device("RTC", "PNP0B00", 0, resources({io(0x70, 2), irq(8)})),
                     isa_device("KBD", "PNP0303", 0, resources({io(0x60, 1), io(0x64, 1), irq(1)})),
                     isa_device("MOU", "PNP0F13", 0, resources({irq(12)})),
                     isa_device("FDC0", "PNP0700", 0, resources({io(0x3F2, 4), io(0x3F7, 1), irq(6), dma(2)})), com[0],
                     com[1]}));
}

// The board shifts the four lines by one from slot to slot, beginning at slot 1 (Piix3).
Code routing_table() {
    std::vector<Code> entries;
    for (u32 slot = 0; slot < 32; ++slot)
        for (u32 pin = 0; pin < 4; ++pin)
            entries.push_back(aml::package(std::array{aml::integer(slot << 16 | 0xFFFF), aml::integer(pin),
                                                      aml::path("\\_SB." + std::string{links[(pin + slot + 3) & 3]}),
                                                      aml::integer(0)}));
    return aml::name("_PRT", aml::package(entries));
}

Code host_bridge(u64 ram_bytes) {
    using namespace aml;
    return device("PCI0",
                  join({name("_HID", eisa_id("PNP0A03")), name("_UID", integer(0)),
                        name("_CRS", resources({bus_range(0, 0xFF), io(PciBus::first_port, PciBus::port_count),
                                                io_range(0, PciBus::first_port - 1), io_range(0xD00, 0xFFFF),
                                                memory_range(0xA0000, 0xBFFFF),
                                                memory_range(static_cast<u32>(ram_bytes), IoApic::address - 1)})),
                        routing_table(), isa_bridge()}));
}

Code link(u32 number) {
    using namespace aml;
    Code route = path("\\_SB.PCI0.ISA." + std::string{routes[number]}), line = path("IRQW");
    return device(
        links[number],
        join({name("_HID", eisa_id("PNP0C0F")), name("_UID", integer(number + 1)),
              name("_PRS", resources({level_interrupts({5, 10, 11})})),
              method("_STA", 0,
                     join({when(bits_and(route, integer(Piix3::route_off), no_target()), give(integer(9))),
                           give(integer(0x0B))})),
              method("_DIS", 0, bits_or(route, integer(Piix3::route_off), route)),
              method("_CRS", 0,
                     join({store(resources({level_interrupts({0})}), local0()),
                           dword_field(local0(), level_interrupt_at, "IRQW"), bits_and(route, integer(0x0F), line),
                           give(local0())})),
              method("_SRS", 1, join({dword_field(argument0(), level_interrupt_at, "IRQW"), store(line, route)}))}));
}

Code dsdt(u64 ram_bytes) {
    using namespace aml;
    // SLP_TYPa and SLP_TYPb, and two reserved ones.
    const std::array<Code, 4> off{integer(AcpiPm::sleep_type_off), integer(AcpiPm::sleep_type_off), integer(0),
                                  integer(0)};
    Code system = host_bridge(ram_bytes);
    for (u32 i = 0; i < links.size(); ++i) system = join({system, link(i)});
    system =
        join({system, isa_device("HPET", "PNP0103", 0, resources({memory32(Hpet::address, Hpet::address_bytes)}))});
    return join({name("_S5", package(off)), scope("\\_SB", system)});
}

// --- the other tables, from the end of their headers on

Code fixed_description() {
    Code fadt(244 - header_bytes);
    auto set = [&fadt](std::size_t at, u64 value, std::size_t size) { put(fadt, at - header_bytes, value, size); };
    set(46, acpi_irq, 2);
    set(48, AcpiPm::apm_port, 4), set(52, AcpiPm::apm_acpi_enable, 1), set(53, AcpiPm::apm_acpi_disable, 1);  // SMI_CMD
    set(56, pm_address + AcpiPm::event_offset, 4), set(88, AcpiPm::event_bytes, 1);
    set(64, pm_address + AcpiPm::control_offset, 4), set(89, AcpiPm::control_bytes, 1);
    set(76, pm_address + AcpiPm::timer_offset, 4), set(91, AcpiPm::timer_bytes, 1);
    set(80, AcpiPm::gpe_port, 4), set(92, AcpiPm::gpe_bytes, 1);
    set(96, 0xFFF, 2), set(98, 0xFFF, 2);        // no C2, no C3
    set(108, 0x32, 1);                           // century
    set(109, 3, 2);                              // devices on ISA, and an 8042
    set(112, 1 | 1 << 2 | 1 << 5 | 1 << 10, 4);  // WBINVD, C1, no sleep button, reset register
    set(116, 1 | 8 << 8, 4), set(120, PciBus::reset_port, 8), set(128, ResetControl::hard_reset, 1);
    return fadt;
}

Code interrupt_description() {
    Code madt = join({little_endian(LocalApic::address_at_reset, 4),
                      little_endian(1, 4),  // there are 8259s too
                      {0, 8, 0, 0},
                      little_endian(1, 4),  // the processor
                      {1, 12, 0, 0},
                      little_endian(IoApic::address, 4),
                      little_endian(0, 4),
                      {2, 10, 0, 0},
                      little_endian(2, 4),
                      little_endian(0, 2)});  // the timer on pin 2
    for (u8 line : {5, 9, 10, 11})            // level, active high
        madt = join({madt, {2, 10, 0, line}, little_endian(line, 4), little_endian(0x0D, 2)});
    return join({madt, {4, 6, 0xFF, 0, 0, 1}});  // NMI at LINT1
}

Code timer_description() {
    return join({little_endian(Hpet::identity, 4), little_endian(0, 4), little_endian(Hpet::address, 8), Code(4)});
}

Code header(std::string_view signature, u8 revision, std::size_t body_bytes) {
    Code bytes(signature.begin(), signature.end());
    bytes = join({bytes, little_endian(header_bytes + body_bytes, 4), {revision, 0}});
    for (char c : std::string_view{"VELLUMVELLUMPC"}) bytes.push_back(static_cast<u8>(c));
    return join({bytes, little_endian(1, 4), {'V', 'E', 'L', 'L'}, little_endian(1, 4)});
}

}  // namespace

AcpiFiles describe_board(u64 ram_bytes) {
    AcpiFiles files;
    LoaderScript script;
    script.allocate(tables_file, 64, false);
    script.allocate(root_file, 16, true);
    Code& tables = files.tables;
    tables = join({{'F', 'A', 'C', 'S'}, little_endian(64, 4), Code(56)});  // at 0: aligned to 64 bytes
    // Pointers hold offsets into the file until the loader adds where the file lies.
    auto point = [&](u32 at, u32 to) { put(tables, at, to, 4), script.add_pointer(tables_file, at, tables_file); };
    auto add = [&](std::string_view signature, u8 revision, const Code& body) {
        u32 at = static_cast<u32>(tables.size());
        tables = join({tables, header(signature, revision, body.size()), body});
        return at;
    };
    auto seal = [&](u32 at, std::size_t end) {
        script.add_checksum(tables_file, at + checksum_at, at, static_cast<u32>(end - at));
    };
    u32 description = add("DSDT", 1, dsdt(ram_bytes));
    seal(description, tables.size());
    u32 fixed = add("FACP", 3, fixed_description());
    point(fixed + 36, 0), point(fixed + 40, description);
    seal(fixed, tables.size());
    u32 interrupts = add("APIC", 1, interrupt_description());
    seal(interrupts, tables.size());
    u32 timer = add("HPET", 1, timer_description());
    seal(timer, tables.size());
    u32 root = add("RSDT", 1, Code(12));
    point(root + 36, fixed), point(root + 40, interrupts), point(root + 44, timer);
    seal(root, tables.size());

    files.root_pointer =
        join({{'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ', 0, 'V', 'E', 'L', 'L', 'U', 'M', 0}, little_endian(root, 4)});
    script.add_pointer(root_file, 16, tables_file);
    script.add_checksum(root_file, 8, 0, 20);
    files.loader = script.finish();
    return files;
}

}  // namespace vellum
