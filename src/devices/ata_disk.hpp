// An ATA hard disk with 28- and 48-bit addresses and the CHS geometry of old (ATA/ATAPI-6, chapter 8).
#pragma once

#include <memory>
#include <string>

#include "devices/block_backend.hpp"
#include "devices/ide_drive.hpp"

namespace vellum {

class AtaDisk final : public IdeDrive {
 public:
    static constexpr u32 sector_size = 512;

    // The image holds whole sectors, at least one. `serial`: at most 20 printable characters.
    AtaDisk(Scheduler& scheduler, BusMaster& bus_master, Log& log, std::unique_ptr<BlockBackend> backend,
            std::string serial);

    void serialize(Archive&) override;

 private:
    struct Geometry {
        u32 cylinders, heads, sectors;
    };

    void execute(u8 command) override;
    void block_done() override;
    void resume() override;
    void run_dma() override;
    void set_signature() override;
    void restore_defaults(bool power_on) override;

    bool take_address(bool extended);
    void show_address(u64 lba);
    void transfer_pio(bool extended, bool write, u32 sectors_per_block);
    void transfer_dma(bool extended, bool write);
    void verify(bool extended);
    void read_block();
    void write_block();
    bool read_sectors(u32 count);
    bool write_sectors(u32 count);
    void complete_write();
    void advance(u32 count);
    void initialize_parameters();
    void set_multiple();
    void set_features();
    bool set_transfer_mode(u8 mode);
    void flush();
    void identify();
    void native_maximum(bool extended);
    Geometry default_geometry() const;

    std::unique_ptr<BlockBackend> backend_;
    std::string serial_;
    u64 sectors_;
    Geometry geometry_;
    u64 lba_ = 0;        // of the transfer in progress
    u32 remaining_ = 0;  // sectors
    u32 per_block_ = 1;
    bool extended_ = false, writing_ = false;
    u8 multiple_ = 0;  // sectors, 0 is off
    u8 multiword_mode_ = 2, ultra_mode_ = no_mode;
    bool write_cache_ = true;

    static constexpr u8 no_mode = 0xFF;
};

}  // namespace vellum
