// An ATAPI CD drive: packets over the IDE cable, data discs with 2048-byte sectors (SFF-8020i, MMC-3). No audio.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "devices/atapi_packets.hpp"
#include "devices/block_backend.hpp"
#include "devices/ide_drive.hpp"

namespace vellum {

class AtapiCd final : public IdeDrive {
 public:
    static constexpr u32 sector_size = 2048;

    // `medium` may be null: an empty drive.
    AtapiCd(Scheduler& scheduler, BusMaster& bus_master, Log& log, std::unique_ptr<BlockBackend> medium,
            std::string serial);

    // A person changes the disc, or takes it out (null); the guest hears of it by a unit attention. A lock by the
    // guest does not hinder it.
    void change_medium(std::unique_ptr<BlockBackend> medium);
    BlockBackend* medium() { return medium_.get(); }  // in the drive, its tray open or not
    bool has_medium() const { return medium_ != nullptr && !tray_open_; }

    void serialize(Archive&) override;

 private:
    enum class Phase : u8 { None, Packet, Parameters, Reply, Sectors };
    enum class Event : u8 { None, EjectRequest, NewMedium, Removed };

    // Which parts of a sector are sent (atapi_read_cd.cpp). The bytes are those of the packet.
    struct SectorForm {
        u8 main = 0x10, subchannel = 0;  // user data alone

        static std::optional<SectorForm> from_packet(u8 main, u8 subchannel);
        u8 c2() const { return (main >> 1) & 3; }
        u32 bytes() const;
        bool user_data_alone() const;
        void put(std::span<u8> out, std::span<const u8> user, u32 lba) const;
    };

    // Channel and volume of each output port, as MODE SELECT may change them.
    static constexpr std::array<u8, 8> default_ports{1, 0xFF, 2, 0xFF, 0, 0, 0, 0};
    static constexpr u32 most_parameters = 512;  // bytes that MODE SELECT takes

    void execute(u8 command) override;
    void block_done() override;
    void resume() override;
    void run_dma() override;
    void set_signature() override;
    void restore_defaults(bool power_on) override;

    void identify();
    void obey_packet();
    void complete();
    void refuse(PacketSense what);
    void reply(u32 allocated);
    void offer();
    void send_sectors(u64 lba, u64 count, SectorForm form);
    void take_parameters(u32 size);
    void obey_parameters();
    bool refill();
    void clear_reply(u32 size);
    u32 sectors() const;

    // What a packet means (atapi_packets.cpp).
    struct PacketRow {
        PacketOperation operation;
        void (AtapiCd::*obey)();
        bool needs_medium, reports_attention;
    };
    static const PacketRow packet_rows[];
    u32 packet16(u32 at) const { return packet_[at] << 8 | packet_[at + 1]; }
    u32 packet32(u32 at) const { return packet16(at) << 16 | packet16(at + 2); }
    void put16(u32 at, u32 value);
    void put32(u32 at, u32 value);
    void put_address(u32 at, u32 lba, bool msf);
    u16 current_profile() const;
    u8 medium_status() const { return static_cast<u8>(tray_open_ | has_medium() << 1); }
    void do_nothing() { complete(); }
    void toc_tracks(bool msf);
    void toc_raw();
    void mode_page(u32 at, u8 page);
    void keep_changeable(u32 at, u8 page);
    void request_sense();
    void inquiry();
    void read_10();
    void read_12();
    void read_cd();
    void read_cd_msf();
    void read_cd_sectors(u64 lba, u64 count);
    void read_capacity();
    void read_toc();
    void mode_sense();
    void mode_select();
    void read_subchannel();
    void read_header();
    void play();
    void pause_resume();
    void start_stop();
    void prevent_removal();
    void get_configuration();
    void get_event_status();
    void mechanism_status();
    void read_disc_information();
    void seek();

    std::unique_ptr<BlockBackend> medium_;
    std::string serial_;
    std::array<u8, 12> packet_{};
    Phase phase_ = Phase::None;
    PacketSense sense_;
    u32 reply_size_ = 0, reply_sent_ = 0;  // bytes in buffer_
    u64 lba_ = 0, remaining_ = 0;          // sectors that are not yet in buffer_
    SectorForm form_;
    std::array<u8, 8> audio_ports_ = default_ports;
    u32 byte_limit_ = 0;  // largest block that the host takes
    bool by_dma_ = false;
    bool attention_ = false;  // a unit attention waits to be reported
    bool tray_open_ = false, locked_ = false;
    Event event_ = Event::None;
};

}  // namespace vellum
