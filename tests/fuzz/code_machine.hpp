// The guest of the fuzz target `code`: half a MiB of RAM with descriptor tables, page tables and handlers for any mode,
// a ROM, and surroundings that answer the same on both engines. It is made once and put back before each input.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "code_input.hpp"
#include "cpu/engine.hpp"
#include "cpu/interpreter.hpp"

namespace vellum::fuzz {

// Physical addresses; the first 4 MiB of linear memory are the same, wherever there are page tables.
struct CodeLayout {
    static constexpr u32 ram_bytes = 0x80000, rom = 0xF0000, rom_bytes = 0x10000;
    static constexpr u32 code = 0x1000, code_bytes = 0x4000, data = 0x5000, data_bytes = 0x2000, stack_top = 0x8000;
    static constexpr u32 directory = 0x9000, low_table = 0xA000, high_table = 0xB000;
    static constexpr u32 pae_pointers = 0xC000, pae_directory = 0xD000, pae_low_table = 0xE000, pae_high_table = 0xF000;
    static constexpr u32 idt = 0x10000, gdt = 0x10800, ldt = 0x10C00, tss = 0x11000, other_tss = 0x11800,
                         handlers = 0x12000, inner_stack_top = 0x14000;
    // Linear 4 MiB and up: pages of all kinds, onto these physical ones.
    static constexpr u32 high_linear = 0x400000, high_pages = 0x20000, high_bytes = 0x20000;
};

// Ports and MMIO answer with numbers that depend on all that was asked before; what was asked is summed up.
class CodeSurroundings final : public Outside {
 public:
    explicit CodeSurroundings(CpuState& state) : state_{state} {}

    void reset();
    u64 sum() const { return sum_; }
    bool a20_moved() { return std::exchange(a20_moved_, false); }
    void raise_interrupt(u8 vector);
    void raise_nmi() { attention->raise(Attention::Nmi); }
    Attention* attention = nullptr;

    u32 read_port(u16 port, u8 size) override { return answer(1, port, size); }
    // Odd ports ask for an interrupt: 21h for an NMI, others for the vector that is written. 92h moves the A20 gate.
    void write_port(u16 port, u8 size, u32 value) override;
    u32 read_mmio(Physical address, u8 size) override { return answer(3, raw(address), size); }
    void write_mmio(Physical address, u8 size, u32 value) override { note(4, raw(address), u64{value} << 8 | size); }
    bool interrupt_pending() const override { return pending_ >= 0; }
    u8 acknowledge_interrupt() override;
    Nanoseconds guest_time() override { return state_.instructions; }
    u64 apic_base() const override { return apic_base_; }
    void set_apic_base(u64 value) override { note(5, apic_base_ = value, 0); }
    bool ignne() const override { return false; }
    void set_ferr(bool level) override {
        if (std::exchange(ferr_, level) != level) note(6, level, 0);
    }

 private:
    void note(u64 kind, u64 place, u64 value);
    u32 answer(u64 kind, u64 place, u8 size);

    CpuState& state_;
    u64 sum_ = 0, apic_base_ = 0;
    int pending_ = -1;
    bool a20_moved_ = false, ferr_ = false;
};

using EngineFactory = std::function<std::unique_ptr<Engine>(Cpu&)>;

class CodeMachine {
 public:
    explicit CodeMachine(const EngineFactory& make);

    // False: a processor cannot be in that state.
    bool begin(const CodeInput& input);
    // Interrupts and writes from outside that come before that slice.
    void begin_slice(const CodeInput& input, u32 number);
    Stop run(u64 instructions);

    CpuState& state() { return state_; }
    std::span<const u8> memory() { return memory_.backing().bytes(); }
    u64 surroundings() const { return outside_.sum(); }
    std::vector<u8> architectural_state();
    std::string next_instruction();        // for people: address and bytes
    std::vector<u8> next_bytes(u32 most);  // at CS:EIP, as many as there are
    u64 flushes() const { return cpu_.mmu.generation(); }

 private:
    void poke(u32 address, std::span<const u8> bytes);
    template <typename T>
    void poke_value(u32 address, T value) {
        poke(address, {reinterpret_cast<const u8*>(&value), sizeof value});
    }
    void build_memory();
    void build_descriptors();
    void build_page_tables();
    void restore_memory();
    void set_mode(const CodeInput& input);
    bool patch_registers(const CodeInput& input);
    void apply_patches(const CodeInput& input, u32 slice);

    Log log_{[](std::string_view) {}};
    CpuState state_;
    GuestMemory memory_;
    CodeSurroundings outside_{state_};
    Cpu cpu_{state_, memory_, outside_, log_, host_features()};
    std::vector<u8> fresh_memory_;
    CpuState fresh_state_;
    std::unique_ptr<Engine> engine_;
};

}  // namespace vellum::fuzz
