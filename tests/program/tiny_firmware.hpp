// Guests of a few instructions: 64 KiB firmware images that start in real mode at F000:0000. The pieces put together
// here are named for what the guest does.
#pragma once

#include <initializer_list>
#include <string>

#include "base/types.hpp"

namespace vellum::test {

class TinyFirmware {
 public:
    TinyFirmware& bytes(std::initializer_list<u8> code) {
        for (u8 byte : code) code_ += static_cast<char>(byte);
        return *this;
    }
    TinyFirmware& out(u16 port, u8 value) {  // mov dx,port; mov al,value; out dx,al
        return bytes({0xBA, static_cast<u8>(port), static_cast<u8>(port >> 8), 0xB0, value, 0xEE});
    }
    TinyFirmware& out16(u16 port, u16 value) {
        return bytes({0xBA, static_cast<u8>(port), static_cast<u8>(port >> 8), 0xB8, static_cast<u8>(value),
                      static_cast<u8>(value >> 8), 0xEF});
    }
    TinyFirmware& out32(u16 port, u32 value) {
        return bytes({0xBA, static_cast<u8>(port), static_cast<u8>(port >> 8), 0x66, 0xB8, static_cast<u8>(value),
                      static_cast<u8>(value >> 8), static_cast<u8>(value >> 16), static_cast<u8>(value >> 24), 0x66,
                      0xEF});
    }
    // --- endings
    TinyFirmware& stand_still() { return bytes({0xFA, 0xF4, 0xEB, 0xFD}); }  // cli; hlt; jmp to the hlt
    TinyFirmware& spin() { return bytes({0xEB, 0xFE}); }
    TinyFirmware& debug_exit(u8 value) { return out(0xF4, value).stand_still(); }
    TinyFirmware& reset() { return out(0xCF9, 0x02).out(0xCF9, 0x06).stand_still(); }
    TinyFirmware& reset_by_keyboard() { return out(0x64, 0xFE).stand_still(); }
    // lidt of six zero bytes at 8000h; int3: no handler for it, none for #GP, none for #DF.
    TinyFirmware& triple_fault() { return bytes({0x2E, 0x0F, 0x01, 0x1E, 0x00, 0x80, 0xCC}).stand_still(); }
    // PIIX4 function 3: PM block at 600h, switched on; then PM1_CNT: sleep type 0 is off, with SLP_EN.
    TinyFirmware& power_off() {
        out32(0xCF8, 0x80000B40).out32(0xCFC, 0x601).out32(0xCF8, 0x80000B80).out(0xCFC, 1);
        return out16(0x604, 0x2000).stand_still();
    }
    // --- doings
    TinyFirmware& say(char character) { return out(0x3F8, static_cast<u8>(character)); }
    // Writes the first 512 bytes of the firmware's segment as sector 1 of the first disk, and waits for the drive.
    TinyFirmware& write_sector() {
        wait_disk(0x80, 0x00).out(0x1F6, 0xE0).out(0x1F2, 1).out(0x1F3, 1).out(0x1F4, 0).out(0x1F5, 0).out(0x1F7, 0x30);
        wait_disk(0x88, 0x08);
        // push cs; pop ds; xor si,si; mov cx,256; mov dx,1F0h; cld; rep outsw
        bytes({0x0E, 0x1F, 0x31, 0xF6, 0xB9, 0x00, 0x01, 0xBA, 0xF0, 0x01, 0xFC, 0xF3, 0x6F});
        return wait_disk(0x88, 0x00);
    }

    std::string image() const {
        std::string image(0x10000, '\0');
        image.replace(0, code_.size(), code_);
        image.replace(0xFFF0, 5, std::string{"\xEA\x00\x00\x00\xF0", 5});  // jmp F000:0000
        return image;
    }
    const std::string& code() const { return code_; }

 private:
    TinyFirmware& wait_disk(u8 mask,
                            u8 wanted) {  // mov dx,1F7h; again: in al,dx; and al,mask; cmp al,wanted; jne again
        return bytes({0xBA, 0xF7, 0x01, 0xEC, 0x24, mask, 0x3C, wanted, 0x75, 0xF9});
    }
    std::string code_;
};

}  // namespace vellum::test
