// What the board tells its firmware: CMOS memory and fw_cfg.
#include <algorithm>
#include <cstring>
#include <utility>

#include "machine/acpi_tables.hpp"
#include "machine/board.hpp"
#include "machine/board_chips.hpp"

namespace vellum {

namespace {

constexpr u16 key_no_graphic = 4, key_processors = 5, key_numa = 0x0D, key_boot_menu = 0x0E, key_most_processors = 0x0F,
              key_irq0_override = 0x8002;
constexpr char loader_file[] = "genroms/vellum-boot.rom", boot_order[] = "/rom@genroms/vellum-boot.rom";

void append(std::vector<u8>& bytes, u64 value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i, value >>= 8) bytes.push_back(static_cast<u8>(value));
}

std::vector<u8> little_endian(u64 value, std::size_t size) {
    std::vector<u8> bytes;
    append(bytes, value, size);
    return bytes;
}

// Boot device numbers of CMOS 3Dh and 38h: 1 floppy, 2 disk, 3 CD.
u8 boot_device(char letter) { return letter == 'a' ? 1 : letter == 'c' ? 2 : 3; }

std::string default_boot_order(const MachineConfig& config) {
    std::string order;
    bool disk = std::any_of(std::begin(config.disks), std::end(config.disks), [](auto& d) { return !d.empty(); });
    if (disk) order += 'c';
    if (!config.cdrom.empty()) order += 'd';
    if (!config.floppies[0].empty()) order += 'a';
    for (char c : {'c', 'd', 'a'})
        if (order.find(c) == std::string::npos) order += c;
    return order;
}

constexpr DrivePlaces empty_places{{{"--hda"}, {"--hdb"}, {"--hdc"}, {"--hdd"}, {"--cdrom"}, {"--fda"}, {"--fdb"}}};
constexpr std::size_t cd_place = 4, floppy_place = 5;

}  // namespace

DrivePlaces drives_of(const BoardParts& parts) {
    DrivePlaces places = empty_places;
    for (std::size_t i = 0; i < 4; ++i) places[i].medium = parts.disks[i].get(), places[i].drive = places[i].medium;
    places[cd_place].medium = parts.cd.get();
    places[cd_place].drive = !parts.disks[2];
    for (std::size_t i = 0; i < 2; ++i) {
        DrivePlace& place = places[floppy_place + i];
        place.medium = parts.floppies[i].get();
        place.drive = i == 0 || place.medium || parts.second_floppy_drive;
    }
    return places;
}

DrivePlaces Board::drives() {
    DrivePlaces places = empty_places;
    for (std::size_t i = 0; i < 4; ++i) places[i].medium = chips_->disks[i], places[i].drive = places[i].medium;
    places[cd_place].drive = chips_->cd;
    if (chips_->cd) places[cd_place].medium = chips_->cd->medium();
    for (u8 i = 0; i < 2; ++i) {
        DrivePlace& place = places[floppy_place + i];
        place.drive = chips_->floppy.attached(i);
        place.medium = chips_->floppy.medium(i);
    }
    return places;
}

void Board::set_cmos(const MachineConfig& config) {
    Rtc& rtc = chips_->rtc;
    u64 kilobytes = ram_bytes_ >> 10;
    u64 extended = std::min<u64>(kilobytes - 1024, 0xFFFF);
    u64 above_16m = ram_bytes_ > (16u << 20) ? std::min<u64>((ram_bytes_ - (16u << 20)) >> 16, 0xFFFF) : 0;
    rtc.set_cmos(0x15, 640 & 0xFF);
    rtc.set_cmos(0x16, 640 >> 8);
    for (u8 index : {0x17, 0x30}) {
        rtc.set_cmos(index, static_cast<u8>(extended));
        rtc.set_cmos(static_cast<u8>(index + 1), static_cast<u8>(extended >> 8));
    }
    rtc.set_cmos(0x34, static_cast<u8>(above_16m));
    rtc.set_cmos(0x35, static_cast<u8>(above_16m >> 8));
    rtc.set_cmos(0x10, chips_->floppy.cmos_types());
    // Equipment: VGA, mouse, coprocessor, drives.
    u8 drives = static_cast<u8>((rtc.cmos(0x10) >> 4 != 0) + ((rtc.cmos(0x10) & 15) != 0));
    rtc.set_cmos(0x14, static_cast<u8>(0x06 | (drives ? 0x01 | (drives - 1) << 6 : 0)));
    rtc.set_cmos(0x5F, 0);  // one processor
    std::string order = config.boot_order.empty() ? default_boot_order(config) : config.boot_order;
    u8 devices[3] = {};
    for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 3); ++i) devices[i] = boot_device(order[i]);
    rtc.set_cmos(0x3D, static_cast<u8>(devices[0] | devices[1] << 4));
    rtc.set_cmos(0x38, static_cast<u8>(devices[2] << 4 | 1));  // bit 0: no check of the boot signature
}

void Board::fill_fw_cfg() {
    FwCfg& fw = chips_->fw_cfg;
    bool direct = firmware_.boot.has_value();
    fw.add(key_no_graphic, little_endian(0, 2));
    fw.add(key_processors, little_endian(1, 2));
    fw.add(key_most_processors, little_endian(1, 2));
    fw.add(key_numa, little_endian(0, 16));
    fw.add(key_boot_menu, little_endian(direct ? 0 : 1, 2));
    fw.add(key_irq0_override, little_endian(1, 4));
    std::vector<u8> e820;
    append(e820, 0, 8);
    append(e820, ram_bytes_, 8);
    append(e820, 1, 4);
    fw.add_file("etc/e820", e820);
    fw.add_file("etc/boot-menu-wait", little_endian(1000, 2));
    // One byte for each sleep state S0 to S5, bit 7: offered. There is no memory of its own that S3 would keep alive,
    // so suspending is not offered; switching off is.
    fw.add_file("etc/system-states", {0x80, 0, 0, 0, 0, 0x80});
    AcpiFiles acpi = describe_board(ram_bytes_);
    fw.add_file("etc/acpi/tables", std::move(acpi.tables));
    fw.add_file("etc/acpi/rsdp", std::move(acpi.root_pointer));
    fw.add_file("etc/table-loader", std::move(acpi.loader));
    if (!direct) return;
    fw.add_file(loader_file, boot_loader_rom());
    fw.add_file("bootorder", {std::begin(boot_order), std::end(boot_order)});
    fw.add(boot_plan_key, encode(*firmware_.boot));
    u16 key = boot_plan_key + 1;
    for (const BootItem& item : firmware_.boot->items) fw.add(key++, item.bytes);
}

}  // namespace vellum
