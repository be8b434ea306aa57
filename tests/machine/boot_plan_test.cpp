// Made-up kernels: what is laid out where, and what is refused.
#include "machine/boot_plan.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "base/host_error.hpp"
#include "tiny_machine.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

constexpr u64 mebibyte = 1 << 20;

struct Image {
    std::vector<u8> bytes;
    explicit Image(std::size_t size) : bytes(size) {}
    Image& set(std::size_t at, u32 value, std::size_t size = 4) {
        std::memcpy(bytes.data() + at, &value, size);
        return *this;
    }
};

// A bzImage of boot protocol 2.15 with one set-up sector and 4 KiB of kernel.
Image linux_kernel() {
    Image image{1024 + 4096};
    image.set(0x1F1, 1, 1).set(0x1F4, 256).set(0x202, 0x53726448).set(0x206, 0x20F, 2).set(0x211, 1, 1);
    return image.set(0x22C, 0x7FFFFFFF).set(0x238, 2047).set(0x260, 0x400000);
}

// An ELF32 kernel with a Multiboot header at 100h and one segment: 64 bytes of file at 200h, 128 in memory at 1 MiB.
Image elf_kernel() {
    Image image{0x300};
    image.set(0, 0x464C457F).set(24, 0xC0100010).set(28, 52).set(42, 32, 2).set(44, 1, 2);
    image.set(52, 1).set(56, 0x200).set(60, 0xC0100000).set(64, 0x100000).set(68, 64).set(72, 128);
    image.set(0x100, 0x1BADB002).set(0x104, 0).set(0x108, 0u - 0x1BADB002);
    return image.set(0x200, 0x11223344);
}

// A flat kernel whose Multiboot header, at its begin, says where it goes: 1 MiB, entered 32 bytes in.
Image flat_kernel() {
    Image image{0x100};
    image.set(0, 0x1BADB002).set(4, 0x10000).set(8, 0u - 0x1BADB002 - 0x10000);
    return image.set(12, 0x100000).set(16, 0x100000).set(20, 0x100100).set(24, 0x100400).set(28, 0x100020);
}

u32 word(std::span<const u8> bytes, std::size_t at) {
    u32 value = 0;
    std::memcpy(&value, bytes.data() + at, 4);
    return value;
}

const BootItem* item_at(const BootPlan& plan, u32 address) {
    for (const BootItem& item : plan.items)
        if (item.address == address) return &item;
    return nullptr;
}

std::string text_of(const std::vector<u8>& bytes) { return {bytes.begin(), bytes.end()}; }

// What the guest finds there once all items are loaded, in their order.
std::vector<u8> in_memory(const BootPlan& plan, u64 address, std::size_t size) {
    std::vector<u8> memory(size, 0xEE);
    for (const BootItem& item : plan.items)
        for (std::size_t i = 0; i < size; ++i)
            if (address + i >= item.address && address + i - item.address < item.bytes.size())
                memory[i] = item.bytes[address + i - item.address];
    return memory;
}

std::string string_at(const BootPlan& plan, u32 address) {
    std::vector<u8> bytes = in_memory(plan, address, 200);
    return {bytes.begin(), std::find(bytes.begin(), bytes.end(), 0)};
}

template <typename Plan>
std::string refusal(Plan plan) {
    try {
        plan();
    } catch (const UsageError& trouble) {
        return trouble.what();
    }
    return "no refusal";
}

std::string linux_refusal(const Image& kernel, u64 memory = 256 * mebibyte, std::size_t initrd = 0,
                          const std::string& append = "") {
    return refusal([&] { plan_linux("k", kernel.bytes, std::vector<u8>(initrd, 7), append, memory); });
}

// Modules m0, m1, ... of these sizes.
std::vector<BootModule> modules_of(std::vector<std::size_t> sizes) {
    std::vector<BootModule> modules;
    for (std::size_t size : sizes)
        modules.push_back(
            {"m" + std::to_string(modules.size()), std::vector<u8>(size, static_cast<u8>(modules.size() + 7))});
    return modules;
}

std::string multiboot_refusal(const Image& kernel, u64 memory = 256 * mebibyte, std::vector<std::size_t> modules = {},
                              const std::string& append = "") {
    return refusal([&] { plan_multiboot("k", kernel.bytes, modules_of(modules), append, memory); });
}

}  // namespace

TEST_CASE("boot plan: Linux gets its set-up, kernel, command line and initrd, and pointers to them") {
    BootPlan plan = plan_linux("k", linux_kernel().bytes, std::vector<u8>(5000, 7), "a=b", 64 * mebibyte);
    CHECK(plan.kind == BootPlan::Kind::Linux);
    CHECK(plan.items.size() == 4);
    const BootItem* setup = item_at(plan, u32{plan.setup_segment} << 4);
    REQUIRE(setup);
    CHECK(setup->bytes.size() == 1024);
    const BootItem* command_line = item_at(plan, word(setup->bytes, 0x228));
    REQUIRE(command_line);
    CHECK(command_line->bytes == std::vector<u8>{'a', '=', 'b', 0});
    const BootItem* initrd = item_at(plan, word(setup->bytes, 0x218));
    REQUIRE(initrd);
    CHECK(initrd->bytes == std::vector<u8>(5000, 7));
    CHECK(word(setup->bytes, 0x21C) == 5000);
    CHECK(initrd->address % 4096 == 0);
    CHECK(initrd->address >= 0x500000);  // behind the memory that the kernel wants to unpack itself
    CHECK(initrd->address + 5000 <= 63 * mebibyte);
    REQUIRE(item_at(plan, 0x100000));
    CHECK(item_at(plan, 0x100000)->bytes.size() == 4096);
}

TEST_CASE("boot plan: an initrd stays below the kernel's limit") {
    Image kernel = linux_kernel().set(0x22C, 0x1FFFFFF);
    BootPlan plan = plan_linux("k", kernel.bytes, std::vector<u8>(4096, 7), "", 256 * mebibyte);
    CHECK(item_at(plan, 0x1FFF000));
}

TEST_CASE("boot plan: broken or unfitting Linux kernels are refused") {
    CHECK_THAT(linux_refusal(Image{10}), Contains("--kernel k: neither"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x202, 0)), Contains("neither"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x206, 0x203, 2)), Contains("2.03 is too old"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x1F4, 257)), Contains("truncated"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x1F4, 0xFFFFFFFF)), Contains("truncated"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x1F1, 0, 1)), Contains("truncated") || Contains("no refusal"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x1F1, 255, 1)), Contains("longer than any"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x211, 0, 1)), Contains("bzImage"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x260, 0xFFFFFFFF)), Contains("more with -m"));
    CHECK_THAT(linux_refusal(linux_kernel(), mebibyte), Contains("needs 6 MiB"));
    CHECK_THAT(linux_refusal(linux_kernel(), 16 * mebibyte, 12 * mebibyte), Contains("--initrd: 12 MiB do not fit"));
    CHECK_THAT(linux_refusal(linux_kernel().set(0x22C, 0x100000), 256 * mebibyte, 4096), Contains("do not fit"));
    CHECK_THAT(linux_refusal(linux_kernel(), 256 * mebibyte, 0, std::string(2048, 'a')), Contains("takes 2047"));
    CHECK(linux_refusal(linux_kernel(), 256 * mebibyte, 0, std::string(2047, 'a')) == "no refusal");
}

TEST_CASE("boot plan: a Multiboot ELF kernel is loaded at its physical address and entered there") {
    BootPlan plan = plan_multiboot("k", elf_kernel().bytes, modules_of({100}), "x y", 64 * mebibyte);
    CHECK(plan.kind == BootPlan::Kind::Multiboot);
    CHECK(plan.entry == 0x100010);
    const BootItem* segment = item_at(plan, 0x100000);
    REQUIRE(segment);
    CHECK(segment->bytes.size() == 128);
    CHECK(word(segment->bytes, 0) == 0x11223344);
    const BootItem* information = item_at(plan, plan.information_address);
    REQUIRE(information);
    const BootItem* text = item_at(plan, word(information->bytes, 16));
    REQUIRE(text);
    CHECK(std::string(text->bytes.begin(), text->bytes.end() - 1) == "k x y");
    const BootItem* module = item_at(plan, 0x101000);
    REQUIRE(module);
    CHECK(module->bytes == std::vector<u8>(100, 7));
}

TEST_CASE("boot plan: a Multiboot kernel finds each module on a page of its own, and its words") {
    std::vector<BootModule> modules{{"dir/m1 a=b", std::vector<u8>(5000, 1)}, {"m2", {}}, {"m3  x ", {3}}};
    BootPlan plan = plan_multiboot("k", elf_kernel().bytes, modules, "", 64 * mebibyte);
    const BootItem* information = item_at(plan, plan.information_address);
    REQUIRE(information);
    CHECK((word(information->bytes, 0) & 8) == 8);
    CHECK(word(information->bytes, 20) == 3);
    u32 list = word(information->bytes, 24);
    struct {
        std::size_t address, size;
        std::string words;
    } expected[] = {{0x101000, 5000, "dir/m1 a=b"}, {0x103000, 0, "m2"}, {0x103000, 1, "m3  x "}};
    for (u32 i = 0; i < 3; ++i) {
        CAPTURE(i);
        std::vector<u8> entry = in_memory(plan, list + 16 * i, 16);
        CHECK(word(entry, 0) == expected[i].address);
        CHECK(word(entry, 4) == expected[i].address + expected[i].size);
        CHECK(in_memory(plan, word(entry, 0), expected[i].size) == modules[i].bytes);
        CHECK(string_at(plan, word(entry, 8)) == expected[i].words);
        CHECK(word(entry, 12) == 0);
    }
}

TEST_CASE("boot plan: a Multiboot kernel without modules is not told of any") {
    BootPlan plan = plan_multiboot("k", elf_kernel().bytes, {}, "", 64 * mebibyte);
    const BootItem* information = item_at(plan, plan.information_address);
    REQUIRE(information);
    CHECK(word(information->bytes, 0) == 0x245);  // memory, command line, map, loader's name
    CHECK(word(information->bytes, 20) == 0);
    CHECK(string_at(plan, word(information->bytes, 16)) == "k");
    CHECK(string_at(plan, word(information->bytes, 64)) == "Vellum");
}

TEST_CASE("boot plan: a comma comes between two modules, two commas are one in a name") {
    using Words = std::vector<std::string>;
    CHECK(split_modules("") == Words{});
    CHECK(split_modules("a") == Words{"a"});
    CHECK(split_modules("a x=1 y,b") == Words{"a x=1 y", "b"});
    CHECK(split_modules("a,,b,c,,,d,,") == Words{"a,b", "c,", "d,"});
    CHECK(split_modules("a,") == Words{"a"});
    CHECK(split_modules(",a") == Words{"", "a"});
}

TEST_CASE("boot plan: modules are read from the files that their first words name") {
    TemporaryFolder files;
    std::string kernel = files.write("k", text_of(elf_kernel().bytes)), one = files.write("m1", ""),
                two = files.write("m,2", "");
    std::string escaped = two;
    escaped.replace(escaped.find(','), 1, ",,");
    BootPlan plan = plan_boot(kernel, one + " x y," + escaped, "z", 64 * mebibyte);
    const BootItem* information = item_at(plan, plan.information_address);
    REQUIRE(information);
    CHECK(string_at(plan, word(information->bytes, 16)) == kernel + " z");
    REQUIRE(word(information->bytes, 20) == 2);
    u32 list = word(information->bytes, 24);
    CHECK(string_at(plan, word(in_memory(plan, list, 16), 8)) == one + " x y");
    CHECK(string_at(plan, word(in_memory(plan, list + 16, 16), 8)) == two);
    CHECK(in_memory(plan, 0x101000, 1) == std::vector<u8>{1});
    CHECK(in_memory(plan, 0x102000, 2) == std::vector<u8>{2, 2});
    CHECK_THAT(refusal([&] { plan_boot(kernel, one + ",/nowhere x", "", 64 * mebibyte); }),
               Contains("--initrd /nowhere: No such"));
    CHECK_THAT(refusal([&] { plan_boot(kernel, "," + one, "", 64 * mebibyte); }), Contains("a module without a file"));
}

TEST_CASE("boot plan: the initrd of a Linux kernel is one file, whatever its name") {
    TemporaryFolder files;
    std::string kernel = files.write("k", text_of(linux_kernel().bytes)), initrd = files.write("a b,c", "77");
    BootPlan plan = plan_boot(kernel, initrd, "", 64 * mebibyte);
    const BootItem* setup = item_at(plan, u32{plan.setup_segment} << 4);
    REQUIRE(setup);
    CHECK(word(setup->bytes, 0x21C) == 2);
}

TEST_CASE("boot plan: where Multiboot segments lie over one another, the later one in the file is seen") {
    Image kernel = elf_kernel();
    kernel.set(44, 2, 2).set(84, 1).set(88, 0x240).set(96, 0x100020).set(100, 4).set(104, 4).set(0x240, 0x55667788);
    BootPlan plan = plan_multiboot("k", kernel.bytes, {}, "", 64 * mebibyte);
    CHECK(word(in_memory(plan, 0x100000, 4), 0) == 0x11223344);
    CHECK(word(in_memory(plan, 0x100020, 4), 0) == 0x55667788);
    CHECK(in_memory(plan, 0x100024, 92) == std::vector<u8>(92));
}

TEST_CASE("boot plan: a Multiboot kernel that would like a screen mode is started without one") {
    Image kernel = elf_kernel().set(0x104, 7).set(0x108, 0u - 0x1BADB002 - 7);
    BootPlan plan = plan_multiboot("k", kernel.bytes, {}, "", 64 * mebibyte);
    const BootItem* information = item_at(plan, plan.information_address);
    REQUIRE(information);
    CHECK((word(information->bytes, 0) & 0x1800) == 0);  // neither VBE nor frame buffer
}

TEST_CASE("boot plan: a Multiboot kernel with addresses is loaded where they say") {
    BootPlan plan = plan_multiboot("k", flat_kernel().bytes, {}, "", 64 * mebibyte);
    CHECK(plan.entry == 0x100020);
    const BootItem* piece = item_at(plan, 0x100000);
    REQUIRE(piece);
    CHECK(piece->bytes.size() == 0x400);
}

TEST_CASE("boot plan: a Multiboot kernel may lie below 1 MiB, its module lies above") {
    BootPlan plan = plan_multiboot("k", elf_kernel().set(60, 0x8000).set(64, 0x8000).set(24, 0x8010).bytes,
                                   modules_of({100}), "", 64 * mebibyte);
    CHECK(plan.entry == 0x8010);
    CHECK(item_at(plan, 0x8000));
    CHECK(item_at(plan, 0x100000));
}

TEST_CASE("boot plan: broken or unfitting Multiboot kernels are refused") {
    CHECK_FALSE(is_multiboot(Image{4}.bytes));
    CHECK_FALSE(is_multiboot(elf_kernel().set(0x108, 0).bytes));
    CHECK_THAT(multiboot_refusal(Image{0x300}), Contains("no Multiboot kernel"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(0x104, 8).set(0x108, 0u - 0x1BADB002 - 8)), Contains("unknown"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(0, 0)), Contains("no ELF file"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(28, 0xFFFFFFF0)), Contains("broken ELF"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(42, 8, 2)), Contains("broken ELF"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(4, 2, 1)), Contains("64-bit ELF"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(44, 0, 2)), Contains("nothing to load"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(56, 0x2F0)), Contains("truncated"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(56, 0xFFFFFFFF)), Contains("truncated"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(64, 0xFF0)), Contains("does not fit"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(64, 0x8FFF0)), Contains("does not fit"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(64, 0xFFFF0)), Contains("does not fit"));
    CHECK_THAT(multiboot_refusal(elf_kernel().set(72, 0xFFFFFFFF)), Contains("does not fit"));
    CHECK_THAT(multiboot_refusal(elf_kernel(), mebibyte), Contains("does not fit"));
    CHECK_THAT(multiboot_refusal(elf_kernel(), 4 * mebibyte, {4 * mebibyte}), Contains("--initrd"));
    CHECK_THAT(multiboot_refusal(elf_kernel(), 4 * mebibyte, {mebibyte - 1, mebibyte}), Contains("--initrd"));
    CHECK_THAT(multiboot_refusal(elf_kernel(), 4 * mebibyte, std::vector<std::size_t>(2000)),
               Contains("too many modules"));
    CHECK_THAT(multiboot_refusal(elf_kernel(), 64 * mebibyte, {}, std::string(5000, 'a')), Contains("--append"));
    CHECK_THAT(multiboot_refusal(flat_kernel().set(16, 0x200000)), Contains("broken Multiboot"));
    CHECK_THAT(multiboot_refusal(flat_kernel().set(20, 0x1000)), Contains("broken Multiboot"));
    CHECK_THAT(multiboot_refusal(flat_kernel().set(20, 0x100200)), Contains("truncated"));
}

// Each of them fits; a file of 600 bytes is not to take twelve times the memory of the machine.
TEST_CASE("fuzz: Multiboot segments that lie over one another and are larger than memory together are refused") {
    Image kernel = elf_kernel();
    kernel.bytes.resize(0x400);
    kernel.set(44, 3, 2);
    for (std::size_t at : {std::size_t{52}, std::size_t{84}})
        kernel.set(at, 1).set(at + 12, 0x100000).set(at + 20, 10 * mebibyte);
    CHECK_THAT(multiboot_refusal(kernel, 16 * mebibyte), Contains("do not fit into memory together"));
    CHECK(multiboot_refusal(kernel, 64 * mebibyte) == "no refusal");
}

TEST_CASE("boot plan: the loader's table has a fixed size and names the items in order") {
    BootPlan plan = plan_linux("k", linux_kernel().bytes, {}, "", 64 * mebibyte);
    std::vector<u8> table = encode(plan);
    CHECK(table.size() == 20 + 12 * 16);
    CHECK(word(table, 0) == plan.items.size());
    for (std::size_t i = 0; i < plan.items.size(); ++i) {
        CHECK(word(table, 20 + 12 * i) == boot_plan_key + 1 + i);
        CHECK(word(table, 24 + 12 * i) == plan.items[i].address);
        CHECK(word(table, 28 + 12 * i) == plan.items[i].bytes.size());
    }
}
