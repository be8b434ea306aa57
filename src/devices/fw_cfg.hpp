// The firmware configuration device of QEMU (its specification: "QEMU Firmware Configuration Device"): numbered blobs
// and a directory of named files, read byte by byte at port 511h or by DMA through 514h-51Bh.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/guest_bytes.hpp"
#include "base/log.hpp"
#include "devices/bus_window.hpp"
#include "devices/device.hpp"

namespace vellum {

class FwCfg final : public Device {
 public:
    FwCfg(Bus& ports, GuestBytes& memory, Log& log);

    std::string_view name() const override { return "fw_cfg"; }
    void reset() override;
    void serialize(Archive& a) override;  // the cursor only: the board adds the contents again

    // Both replace what was there. Keys of plain blobs: 00h-18h, 1Ah-1Fh, or 8000h-BFFFh.
    void add(u16 key, std::vector<u8> bytes);
    // Names of 1 to 55 bytes. Files get keys from 20h on in the order of their names, so add all before the guest runs.
    void add_file(const std::string& name, std::vector<u8> bytes);
    // What a key holds now; nullptr when nothing does.
    const std::vector<u8>* find(u16 key) const;

 private:
    struct DmaRequest {
        u32 control, length;
        u64 address;
    };

    u32 read_data(u8 size);
    void select(u16 key);
    u32 read_dma_register(u32 offset, u8 size) const;
    void write_dma_register(u32 offset, u8 size, u32 value);
    void run_dma(Physical descriptor);
    bool copy_to_guest(const DmaRequest& request);
    void rebuild_directory();

    GuestBytes& memory_;
    Log& log_;
    std::map<u16, std::vector<u8>> blobs_;
    std::map<std::string, std::vector<u8>> files_;
    std::vector<const std::vector<u8>*> file_by_key_;
    u16 key_ = 0;
    u64 position_ = 0;
    u64 dma_address_ = 0;
    BusWindow ports_, dma_ports_;
};

}  // namespace vellum
