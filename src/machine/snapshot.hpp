// A saved machine in a file: its firmware, the state of processor and chips, RAM, and disk writes that were kept apart
// (--snapshot). Disk images are not in it; the file remembers what they were, and fits only while they still are.
#pragma once

#include <array>
#include <string>

#include "machine/board.hpp"
#include "machine/end_wanted.hpp"
#include "machine/file_access.hpp"

namespace vellum {

// Writes the board's state to `path`, whose old contents stay when that fails (HostError naming it). The board does not
// run meanwhile, and its disks are flushed. Nothing of the board changes. Throws GivenUp when `ending` (if given) says
// that the end is wanted.
void save_snapshot(Board& board, FileAccess& files, const std::string& path, Ending ending = {});

class Snapshot {
 public:
    // Reads and checks the file. Throws UsageError, one line that names the file and says why, for anything but a
    // whole, undamaged snapshot of this version or an older one.
    // Throws GivenUp, here and in load(), when `ending` (if given) says so.
    explicit Snapshot(const std::string& path, Ending ending = {});

    u64 memory_bytes() const { return memory_bytes_; }
    // ROMs and direct boot, as the machine had them. A board that is to load the snapshot is made with these.
    const Firmware& firmware() const { return firmware_; }
    // There was a second floppy drive, with or without a disk.
    bool second_floppy_drive() const { return places_.back().drive; }

    // What the machine's processor had of its host's: it goes on with that, and not with more.
    const HostFeatures& features() const { return features_; }

    // Throws UsageError that names the option that is missing, too many or different, or what the machine's processor
    // had and this one lacks. Pure reading.
    void check_fits(const MachineConfig& config, const BoardParts& parts) const;

    // Puts everything into a board that was made of parts that fit. Throws UsageError when the contents are not what
    // such a board can be; the board is of no use then.
    void load(Board& board) const;

 private:
    struct Place {
        bool drive = false, medium = false;
        std::string path;
        u64 size = 0;
        i64 modified = 0;
        u64 kept_blocks = 0;
    };

    friend void save_snapshot(Board& board, FileAccess& files, const std::string& path, Ending ending);
    static void serialize(Archive& archive, u64& memory_bytes, HostFeatures& features,
                          std::array<Place, drive_places>& places);
    void check_place(std::size_t number, const DrivePlace& now) const;

    std::string path_;
    Ending ending_;
    u64 memory_bytes_ = 0;
    HostFeatures features_;
    std::array<Place, drive_places> places_;
    Firmware firmware_;
};

}  // namespace vellum
