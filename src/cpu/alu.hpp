// Arithmetic on guest operands, done by the host's own instructions: results and flags, the undefined ones included,
// are what a translator gets that copies the guest's instruction (SDM vol. 1, 3.4.3.1; vol. 2). Every function takes
// EFLAGS and merges the six arithmetic flags into it. No guest memory here; see operands.hpp.
#pragma once

#include "cpu/state.hpp"

namespace vellum::alu {

// AX as LAHF and SETO AL leave it:  15 SF | 14 ZF | 12 AF | 10 PF | 9 set | 8 CF | 0 OF.
// The way back is ADD AL,7Fh (overflows exactly when AL was 1) and SAHF, which does not touch OF.
constexpr u32 lahf_mask = eflags::arithmetic & 0xFF;
constexpr u16 to_ax(u32 flags) { return static_cast<u16>((flags & lahf_mask) << 8 | (flags >> 11 & 1)); }
constexpr u32 merge(u32 flags, u16 ax) {
    return (flags & ~eflags::arithmetic) | (static_cast<u32>(ax >> 8) & lahf_mask) | static_cast<u32>(ax & 1) << 11;
}

enum class Binary : u8 { Add, Or, Adc, Sbb, And, Sub, Xor, Cmp, Test };

template <Binary operation, typename T>
T binary(T a, T b, u32& flags) {
    u16 ax;
    if constexpr (operation == Binary::Add)
        asm("add %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "=&a"(ax) : [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::Or)
        asm("or %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "=&a"(ax) : [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::And)
        asm("and %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "=&a"(ax) : [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::Sub)
        asm("sub %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "=&a"(ax) : [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::Xor)
        asm("xor %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "=&a"(ax) : [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::Cmp)
        asm("cmp %[b], %[a]\n\tlahf\n\tseto %%al" : "=&a"(ax) : [a] "r"(a), [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::Test)
        asm("test %[b], %[a]\n\tlahf\n\tseto %%al" : "=&a"(ax) : [a] "r"(a), [b] "r"(b) : "cc");
    else if constexpr (operation == Binary::Adc)
        asm("bt $0, %[f]\n\tadc %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "=&a"(ax)
            : [b] "r"(b), [f] "r"(flags)
            : "cc");
    else if constexpr (operation == Binary::Sbb)
        asm("bt $0, %[f]\n\tsbb %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "=&a"(ax)
            : [b] "r"(b), [f] "r"(flags)
            : "cc");
    flags = merge(flags, ax);
    return a;
}

enum class Unary : u8 { Inc, Dec, Neg, Not };

template <Unary operation, typename T>
T unary(T a, u32& flags) {
    if constexpr (operation == Unary::Not) return static_cast<T>(~a);
    u16 ax = to_ax(flags);
    if constexpr (operation == Unary::Inc)
        asm("add $0x7F, %%al\n\tsahf\n\tinc %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "+&a"(ax) : : "cc");
    else if constexpr (operation == Unary::Dec)
        asm("add $0x7F, %%al\n\tsahf\n\tdec %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "+&a"(ax) : : "cc");
    else if constexpr (operation == Unary::Neg)
        asm("neg %[a]\n\tlahf\n\tseto %%al" : [a] "+&r"(a), "+&a"(ax) : : "cc");
    flags = merge(flags, ax);
    return a;
}

enum class Shift : u8 { Rol, Ror, Rcl, Rcr, Shl, Shr, Sar };

// `count` is masked to five bits by the instruction itself; a count of 0 leaves the flags alone.
template <Shift operation, typename T>
T shift(T a, u8 count, u32& flags) {
    u16 ax = to_ax(flags);
    if constexpr (operation == Shift::Rol)
        asm("add $0x7F, %%al\n\tsahf\n\trol %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    else if constexpr (operation == Shift::Ror)
        asm("add $0x7F, %%al\n\tsahf\n\tror %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    else if constexpr (operation == Shift::Rcl)
        asm("add $0x7F, %%al\n\tsahf\n\trcl %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    else if constexpr (operation == Shift::Rcr)
        asm("add $0x7F, %%al\n\tsahf\n\trcr %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    else if constexpr (operation == Shift::Shl)
        asm("add $0x7F, %%al\n\tsahf\n\tshl %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    else if constexpr (operation == Shift::Shr)
        asm("add $0x7F, %%al\n\tsahf\n\tshr %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    else
        asm("add $0x7F, %%al\n\tsahf\n\tsar %%cl, %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count)
            : "cc");
    flags = merge(flags, ax);
    return a;
}

// SHLD and SHRD; T is u16 or u32. A 16-bit count over 16 is undefined: whatever the host makes of it.
template <bool left, typename T>
T double_shift(T a, T fill, u8 count, u32& flags) {
    u16 ax = to_ax(flags);
    if constexpr (left)
        asm("add $0x7F, %%al\n\tsahf\n\tshld %%cl, %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count), [b] "r"(fill)
            : "cc");
    else
        asm("add $0x7F, %%al\n\tsahf\n\tshrd %%cl, %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : "c"(count), [b] "r"(fill)
            : "cc");
    flags = merge(flags, ax);
    return a;
}

enum class Bit : u8 { Test, Set, Reset, Complement };

// Bit `index` modulo the operand's width; T is u16 or u32.
template <Bit operation, typename T>
T bit(T a, T index, u32& flags) {
    u16 ax = to_ax(flags);
    if constexpr (operation == Bit::Test)
        asm("add $0x7F, %%al\n\tsahf\n\tbt %[b], %[a]\n\tlahf\n\tseto %%al"
            : "+&a"(ax)
            : [a] "r"(a), [b] "r"(index)
            : "cc");
    else if constexpr (operation == Bit::Set)
        asm("add $0x7F, %%al\n\tsahf\n\tbts %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : [b] "r"(index)
            : "cc");
    else if constexpr (operation == Bit::Reset)
        asm("add $0x7F, %%al\n\tsahf\n\tbtr %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : [b] "r"(index)
            : "cc");
    else
        asm("add $0x7F, %%al\n\tsahf\n\tbtc %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(a), "+&a"(ax)
            : [b] "r"(index)
            : "cc");
    flags = merge(flags, ax);
    return a;
}

// BSF and BSR. With a source of 0 the destination keeps `old`, as all processors do.
template <bool forward, typename T>
T bit_scan(T old, T source, u32& flags) {
    u16 ax = to_ax(flags);
    if constexpr (forward)
        asm("add $0x7F, %%al\n\tsahf\n\tbsf %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(old), "+&a"(ax)
            : [b] "r"(source)
            : "cc");
    else
        asm("add $0x7F, %%al\n\tsahf\n\tbsr %[b], %[a]\n\tlahf\n\tseto %%al"
            : [a] "+&r"(old), "+&a"(ax)
            : [b] "r"(source)
            : "cc");
    flags = merge(flags, ax);
    return old;
}

// The two- and three-operand IMUL; T is u16 or u32.
template <typename T>
T multiply_low(T a, T b, u32& flags) {
    u16 ax = to_ax(flags);
    asm("add $0x7F, %%al\n\tsahf\n\timul %[b], %[a]\n\tlahf\n\tseto %%al"
        : [a] "+&r"(a), "+&a"(ax)
        : [b] "r"(b)
        : "cc");
    flags = merge(flags, ax);
    return a;
}

// A double-width value: AX, DX:AX or EDX:EAX.
template <typename T>
struct Wide {
    T low, high;
};

// MUL and IMUL with one operand.
template <bool is_signed, typename T>
Wide<T> multiply(T a, T b, u32& flags) {
    u16 ax = to_ax(flags);
    T low, high;
    if constexpr (sizeof(T) == 1) {
        u16 product;
        if constexpr (is_signed)
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[a], %%al\n\timulb %[b]\n\tmov %%ax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(product)
                : [a] "r"(a), [b] "r"(b)
                : "cc");
        else
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[a], %%al\n\tmulb %[b]\n\tmov %%ax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(product)
                : [a] "r"(a), [b] "r"(b)
                : "cc");
        low = static_cast<T>(product), high = static_cast<T>(product >> 8);
    } else if constexpr (sizeof(T) == 2) {
        if constexpr (is_signed)
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[a], %%ax\n\timulw %[b]\n\tmov %%ax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(low), "=&d"(high)
                : [a] "r"(a), [b] "r"(b)
                : "cc");
        else
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[a], %%ax\n\tmulw %[b]\n\tmov %%ax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(low), "=&d"(high)
                : [a] "r"(a), [b] "r"(b)
                : "cc");
    } else {
        if constexpr (is_signed)
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[a], %%eax\n\timull %[b]\n\tmov %%eax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(low), "=&d"(high)
                : [a] "r"(a), [b] "r"(b)
                : "cc");
        else
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[a], %%eax\n\tmull %[b]\n\tmov %%eax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(low), "=&d"(high)
                : [a] "r"(a), [b] "r"(b)
                : "cc");
    }
    flags = merge(flags, ax);
    return {low, high};
}

// The flags that DIV or IDIV leaves; the caller has made sure that the division does not fault. All six are undefined
// in the manual, so the host is asked. Returns quotient (low) and remainder (high).
template <bool is_signed, typename T>
Wide<T> divide(Wide<T> dividend, T divisor, u32& flags) {
    u16 ax = to_ax(flags);
    if constexpr (sizeof(T) == 1) {
        u16 value = static_cast<u16>(dividend.low | dividend.high << 8), result;
        if constexpr (is_signed)
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[v], %%ax\n\tidivb %[d]\n\tmov %%ax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(result)
                : [v] "r"(value), [d] "r"(divisor)
                : "cc");
        else
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[v], %%ax\n\tdivb %[d]\n\tmov %%ax, %[p]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [p] "=&r"(result)
                : [v] "r"(value), [d] "r"(divisor)
                : "cc");
        dividend = {static_cast<T>(result), static_cast<T>(result >> 8)};
    } else if constexpr (sizeof(T) == 2) {
        if constexpr (is_signed)
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[v], %%ax\n\tidivw %[d]\n\tmov %%ax, %[v]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [v] "+&r"(dividend.low), "+&d"(dividend.high)
                : [d] "r"(divisor)
                : "cc");
        else
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[v], %%ax\n\tdivw %[d]\n\tmov %%ax, %[v]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [v] "+&r"(dividend.low), "+&d"(dividend.high)
                : [d] "r"(divisor)
                : "cc");
    } else {
        if constexpr (is_signed)
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[v], %%eax\n\tidivl %[d]\n\tmov %%eax, %[v]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [v] "+&r"(dividend.low), "+&d"(dividend.high)
                : [d] "r"(divisor)
                : "cc");
        else
            asm("add $0x7F, %%al\n\tsahf\n\tmov %[v], %%eax\n\tdivl %[d]\n\tmov %%eax, %[v]\n\tlahf\n\tseto %%al"
                : "+&a"(ax), [v] "+&r"(dividend.low), "+&d"(dividend.high)
                : [d] "r"(divisor)
                : "cc");
    }
    flags = merge(flags, ax);
    return dividend;
}

// BSWAP. The 16-bit form is undefined in the manual; the host's own answer is taken.
inline u32 byte_swap(u32 value) { return __builtin_bswap32(value); }
inline u16 byte_swap(u16 value) {
    u32 wide = value;
    asm(".byte 0x66, 0x0F, 0xC8" : "+a"(wide));  // bswap ax, which assemblers refuse
    return static_cast<u16>(wide);
}

// Condition codes as encoded in the low four bits of Jcc, SETcc and CMOVcc (SDM vol. 2, appendix B.1.4).
inline bool condition(u8 code, u32 flags) {
    bool holds = false;
    switch (code >> 1 & 7) {
        case 0: holds = flags & eflags::of; break;
        case 1: holds = flags & eflags::cf; break;
        case 2: holds = flags & eflags::zf; break;
        case 3: holds = flags & (eflags::cf | eflags::zf); break;
        case 4: holds = flags & eflags::sf; break;
        case 5: holds = flags & eflags::pf; break;
        case 6: holds = ((flags >> 7) ^ (flags >> 11)) & 1; break;
        default: holds = (flags & eflags::zf) || (((flags >> 7) ^ (flags >> 11)) & 1); break;
    }
    return holds != static_cast<bool>(code & 1);
}

}  // namespace vellum::alu
