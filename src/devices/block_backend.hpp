// Where a disk, CD or floppy keeps its bytes.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/types.hpp"
#include "devices/image_formats.hpp"

namespace vellum {

// Which file of the host an image is: enough to tell, later, whether it is still what it was.
struct ImageIdentity {
    std::string path;
    i64 modified = 0;  // nanoseconds since 1970-01-01 UTC
};

class BlockBackend {
 public:
    virtual ~BlockBackend() = default;
    virtual u64 size() const = 0;  // bytes
    virtual bool read_only() const = 0;
    // Offsets and lengths lie inside size() (the drive checks the guest's request first). False: the host failed.
    virtual bool read(u64 offset, std::span<u8> bytes) = 0;
    virtual bool write(u64 offset, std::span<const u8> bytes) = 0;
    virtual bool flush() = 0;  // returns when the bytes are on the host's disk
    // The host's file behind an image that is written to; -1 for others. What was written stays in it whatever becomes
    // of us: flush_descriptor() is all that an ending needs that cannot wait for the vCPU thread.
    virtual int descriptor() const { return -1; }

    virtual ImageIdentity identity() const { return {}; }
    // Whether writes are kept apart from the image (ImageAccess::Snapshot), and the blocks that were written so far:
    // offsets, each of up to kept_block bytes (the last one of an image may be shorter).
    static constexpr u32 kept_block = 4096;
    virtual bool keeps_writes_apart() const { return false; }
    virtual std::vector<u64> blocks_kept_apart() const { return {}; }
};

enum class ImageAccess : u8 { ReadOnly, ReadWrite, Snapshot };  // Snapshot: writes are kept apart and discarded

// Opens a raw image (host_image_file.cpp). Throws UsageError naming the file and what to do when it is missing,
// unreadable, empty, in a format of its own (unless the name says that it is raw: image_formats.hpp), not a multiple of
// `granularity` bytes, or read-only although ReadWrite was asked for.
std::unique_ptr<BlockBackend> open_image(const ImageName& name, ImageAccess access, u32 granularity);

void flush_descriptor(int descriptor);  // any thread; touches nothing of ours

// The same in steps, for who may not open files himself: what needs the file system, and all the rest. `overlay` is for
// ImageAccess::Snapshot.
Descriptor open_image_file(const std::string& path, ImageAccess access);
Descriptor open_overlay_file();
std::unique_ptr<BlockBackend> make_image(Descriptor file, Descriptor overlay, const ImageName& name, ImageAccess access,
                                         u32 granularity);

}  // namespace vellum
