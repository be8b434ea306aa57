// Bits of the floppy controller's status bytes and commands (82077AA datasheet, chapters 5 and 6.2).
#pragma once

#include "base/types.hpp"

namespace vellum::floppy_status {

constexpr u8 multi_track = 0x80;  // in a command
// ST0: |interrupt code (2)|seek end|equipment check|0|head|unit (2)|
constexpr u8 abnormal = 0x40, invalid_command = 0x80, ready_changed = 0xC0, seek_end = 0x20, equipment_check = 0x10;
// ST1: |end of cylinder|0|data error|overrun|0|no data|not writable|missing address mark|
constexpr u8 end_of_cylinder = 0x80, data_error = 0x20, overrun = 0x10, no_data = 0x04, not_writable = 0x02,
             missing_mark = 0x01;
// ST2
constexpr u8 data_error_in_data = 0x20, wrong_cylinder = 0x10;
// ST3: |0|write protected|1|track 0|1|head|unit (2)|
constexpr u8 write_protected = 0x40, track_zero = 0x10, always_set = 0x28;

}  // namespace vellum::floppy_status
