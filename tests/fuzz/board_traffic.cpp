// Chips and their addresses, and the operations.
#include "board_traffic.hpp"

#include "devices/vga.hpp"

namespace vellum::fuzz {

namespace {

constexpr u32 most_operations = 500, most_looks = 3, most_resets = 4;
constexpr Nanoseconds most_waiting = 2 * second;
constexpr u32 bus_master = 0xC000, acpi = 0xB000, framebuffer = 0xE0000000, vga_registers = 0xE2000000;
constexpr u8 ide_function = 1 << 3 | 1, acpi_function = 1 << 3 | 3, vga_function = 2 << 3, isa_function = 1 << 3;

// Sectors are remembered only as far as `bytes` goes; the rest reads as zeros and forgets.
class FuzzDisk final : public BlockBackend {
 public:
    FuzzDisk(std::vector<u8>& bytes, u64 size, const bool& failing) : bytes_{bytes}, size_{size}, failing_{failing} {}
    u64 size() const override { return size_; }
    bool read_only() const override { return false; }
    bool read(u64 offset, std::span<u8> to) override {
        check(offset + to.size() <= size_ && offset + to.size() >= offset, "a drive reads inside its medium");
        if (failing_) return false;
        std::fill(to.begin(), to.end(), u8{0});
        if (offset < bytes_.size())
            std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), remembered(offset, to.size()),
                        to.begin());
        return true;
    }
    bool write(u64 offset, std::span<const u8> from) override {
        check(offset + from.size() <= size_ && offset + from.size() >= offset, "a drive writes inside its medium");
        if (failing_) return false;
        if (offset < bytes_.size())
            std::copy_n(from.begin(), remembered(offset, from.size()),
                        bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
        return true;
    }
    bool flush() override { return !failing_; }

 private:
    std::size_t remembered(u64 offset, std::size_t count) const { return std::min<u64>(count, bytes_.size() - offset); }

    std::vector<u8>& bytes_;
    u64 size_;
    const bool& failing_;
};

class Nowhere final : public ByteSink {
 public:
    void put(std::span<const u8>) override {}
};

u32 address_in(const std::vector<AddressRange>& ranges, u32 index) {
    u64 all = 0;
    for (const AddressRange& range : ranges) all += range.count;
    u64 at = all ? index % all : 0;
    for (const AddressRange& range : ranges) {
        if (at < range.count) return range.first + static_cast<u32>(at);
        at -= range.count;
    }
    return index;
}

u8 size_of(u8 operation) {
    constexpr u8 sizes[] = {1, 2, 4, 1};
    return sizes[operation >> 4 & 3];
}

}  // namespace

const std::vector<ChipAddresses>& chips() {
    static const std::vector<ChipAddresses> all = {
        {"board", {{0, 0x10000}}, {}, {0, isa_function, ide_function, acpi_function, vga_function}},
        {"ide", {{0x1F0, 8}, {0x170, 8}, {0x3F6, 1}, {0x376, 1}, {bus_master, 16}}, {}, {ide_function}},
        {"atapi", {{0x170, 8}, {0x376, 1}, {bus_master + 8, 8}}, {}, {ide_function}},
        {"floppy and dma", {{0x3F0, 8}, {0, 16}, {0x81, 15}, {0xC0, 32}}, {}, {}},
        {"vga", {{0x3B0, 48}, {0x1CE, 4}}, {{0xA0000, 0x20000}, {vga_registers, 0x1000}}, {vga_function}},
        {"keyboard and mouse", {{0x60, 1}, {0x64, 1}, {0x92, 1}, {0x61, 1}}, {}, {}},
        {"timers", {{0x40, 4}, {0x61, 1}, {0x70, 2}, {acpi, 64}}, {{0xFED00000, 0x400}}, {acpi_function}},
        {"interrupt controllers",
         {{0x20, 2}, {0xA0, 2}, {0x4D0, 2}, {0x40, 4}},
         {{0xFEE00000, 0x400}, {0xFEC00000, 0x50}, {0xFED00000, 0x200}},
         {}},
        {"serial", {{0x3F8, 8}, {0x2F8, 8}, {0xE9, 1}, {0x402, 1}}, {}, {}},
        {"fw_cfg", {{0x510, 12}}, {}, {}},
        {"pci",
         {{0xCF8, 8}, {bus_master, 16}, {acpi, 64}},
         {{framebuffer, 0x1000}, {vga_registers, 0x1000}, {0xC0000, 0x40000}},
         {0, isa_function, ide_function, acpi_function, vga_function}},
        {"system",
         {{0x60, 8}, {0x92, 1}, {0xB2, 2}, {0xF4, 4}, {0x80, 1}, {0xCF9, 1}, {acpi, 64}, {0xAFE0, 4}},
         {},
         {acpi_function}},
    };
    return all;
}

TrafficBoard::TrafficBoard(bool prepared) : disk_(300 * 512), disc_(40 * 2048), diskette_(1440 * 1024) {
    constexpr u64 larger_than_28_bits = u64{1} << 40;
    MachineConfig config;
    config.clock = ClockKind::Instructions;
    config.memory_bytes = 2u << 20;
    config.debug_exit = true;
    BoardParts parts;
    parts.firmware.bios.assign(0x10000, 0xF4);
    parts.firmware.vga_bios.assign(0x1000, 0x55);
    parts.disks[0] = std::make_unique<FuzzDisk>(disk_, disk_.size(), failing_);
    parts.disks[1] = std::make_unique<FuzzDisk>(disk_, larger_than_28_bits, failing_);
    parts.cd = std::make_unique<FuzzDisk>(disc_, disc_.size(), failing_);
    parts.floppies[0] = std::make_unique<FuzzDisk>(diskette_, diskette_.size(), failing_);
    parts.second_floppy_drive = true;
    parts.debug_console = std::make_unique<Nowhere>();
    parts.host_time = [] { return Nanoseconds{0}; };
    board_ = std::make_unique<Board>(config, std::move(parts), log_);
    if (prepared) prepare();
}

TrafficBoard::TrafficBoard(const MachineConfig& config, BoardParts parts)
    : diskette_(1440 * 1024), board_{std::make_unique<Board>(config, std::move(parts), log_)} {}

void TrafficBoard::prepare() {
    configure(ide_function, 0x20, 4, bus_master | 1);
    configure(ide_function, 0x04, 2, 5);
    configure(acpi_function, 0x40, 4, acpi | 1);
    configure(acpi_function, 0x80, 1, 1);
    configure(vga_function, 0x10, 4, framebuffer);
    configure(vga_function, 0x18, 4, vga_registers);
    configure(vga_function, 0x04, 2, 3);
}

void TrafficBoard::configure(u8 function, u8 reg, u8 size, std::optional<u32> value) {
    reg &= static_cast<u8>(~(size - 1));
    board_->write_port(0xCF8, 4, 0x80000000 | u32{function} << 8 | (reg & 0xFC));
    u16 port = static_cast<u16>(0xCFC + (reg & 3));
    if (value)
        board_->write_port(port, size, *value);
    else
        board_->read_port(port, size);
}

void TrafficBoard::run(Input& in, const ChipAddresses& chip) {
    for (u32 i = 0; i < most_operations && !in.empty(); ++i) {
        operate(in.byte(), in, chip);
        handle_events();
    }
}

void TrafficBoard::operate(u8 operation, Input& in, const ChipAddresses& chip) {
    auto port = [&] { return static_cast<u16>(address_in(chip.ports, in.take<u16>())); };
    auto memory = [&] { return Physical{address_in(chip.mmio, in.take<u32>())}; };
    u8 size = size_of(operation);
    switch (static_cast<Traffic>(operation & 15)) {
        case Traffic::WritePort8: {
            u16 at = port();
            return board_->write_port(at, 1, in.byte());
        }
        case Traffic::WritePort16: {
            u16 at = port();
            return board_->write_port(at, 2, in.take<u16>());
        }
        case Traffic::WritePort32: {
            u16 at = port();
            return board_->write_port(at, 4, in.take<u32>());
        }
        case Traffic::WritePortMany: {
            u16 at = port();
            return write_many(at, size, in.bytes(in.byte()));
        }
        case Traffic::ReadPort: board_->read_port(port(), size); return;
        case Traffic::ReadPortMany: {
            u16 at = port();
            for (u32 n = in.byte(); n > 0; --n) board_->read_port(at, size);
            return;
        }
        case Traffic::WriteMmio: {
            Physical at = memory();
            return board_->write_mmio(at, size, in.take<u32>() & open_bus(size));
        }
        case Traffic::ReadMmio: board_->read_mmio(memory(), size); return;
        case Traffic::Wait: return wait(in.byte());
        case Traffic::Memory: {
            Physical at{in.take<u16>() * u64{16}};
            return board_->memory().write(at, in.bytes(in.byte()));
        }
        case Traffic::Person: return person(in);
        case Traffic::Media: return change_media(in.byte());
        case Traffic::Interrupt:
            if (board_->interrupt_pending()) board_->acknowledge_interrupt();
            return;
        case Traffic::Config: {
            u8 which = in.byte(), reg = in.byte();
            u8 function = chip.functions.empty() ? which : chip.functions[which % chip.functions.size()];
            if (operation & 0x40) return configure(function, reg, size, {});
            return configure(function, reg, size, in.take<u32>() & open_bus(size));
        }
        case Traffic::Look: return look(operation >> 4 & 3);
        case Traffic::Host:
            failing_ = operation & 0x10;
            if (operation & 0x20 && ++resets_ < most_resets) board_->reset();
            return;
    }
}

// As REP OUTS does.
void TrafficBoard::write_many(u32 port, u8 size, std::span<const u8> values) {
    for (; !values.empty(); values = values.subspan(std::min<std::size_t>(size, values.size()))) {
        u32 value = 0;
        std::memcpy(&value, values.data(), std::min<std::size_t>(size, values.size()));
        board_->write_port(static_cast<u16>(port), size, value);
    }
}

void TrafficBoard::wait(u8 how_long) {
    Nanoseconds time = Nanoseconds{(how_long & 15u) + 1} * 64 << (how_long >> 4);
    if (waited_ + time > most_waiting) return;
    waited_ += time;
    board_->state().instructions += time;
    board_->scheduler().advance_to(board_->clock().guest_time());
}

void TrafficBoard::person(Input& in) {
    u8 what = in.byte();
    switch (what & 3) {
        case 0: return board_->key({in.byte(), (what & 4) != 0});
        case 1: {
            i32 dx = in.take<i8>(), dy = in.take<i8>();
            i32 scale = what & 4 ? 1 : 0x1000000;
            return board_->mouse({dx * scale, dy * scale, in.take<i8>(), static_cast<u8>(what >> 4 & 7)});
        }
        case 2:
            if (board_->can_receive(what >> 2 & 1)) board_->receive(what >> 2 & 1, in.byte());
            return;
        default: return board_->press_power_button();
    }
}

void TrafficBoard::change_media(u8 which) {
    constexpr u64 sizes[] = {512, 1440 * 1024, 360 * 1024, 2880 * 1024, 2048, 40 * 2048, 700 << 20, 1474560 + 512};
    u64 size = sizes[which >> 3 & 7];
    bool out = which & 4;
    auto open = [&](std::vector<u8>& bytes, u64 all) -> std::unique_ptr<BlockBackend> {
        if (out) return nullptr;
        return std::make_unique<FuzzDisk>(bytes, all, failing_);
    };
    if ((which & 3) != 0)
        board_->change_floppy(which & 1, [&] { return open(diskette_, std::min<u64>(size, 2880 * 1024)); });
    else if (board_->drives()[4].drive)
        board_->change_cd([&] { return open(disc_, size / 2048 * 2048 + 2048); });
}

void TrafficBoard::look(u8 how) {
    if (++looks_ > most_looks) return;
    Picture picture;
    TextScreen text;
    if (how == 0) board_->screenshot();
    if (how == 1) board_->update_picture(picture);
    if (how == 2) board_->update_text(text);
}

void TrafficBoard::handle_events() {
    if (board_->has_events() && board_->take_events().reset && ++resets_ < most_resets) board_->reset();
}

}  // namespace vellum::fuzz
