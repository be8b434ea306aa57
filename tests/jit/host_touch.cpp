// The kernel copies the byte for us and answers EFAULT where a load or store of ours would raise SIGSEGV.
#include "host_touch.hpp"

#include <sys/uio.h>
#include <unistd.h>

namespace vellum::test {

bool host_readable(const u8* at) {
    u8 byte = 0;
    iovec here{&byte, 1}, there{const_cast<u8*>(at), 1};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

bool host_writable(u8* at) {
    u8 byte = 0;
    iovec here{&byte, 1}, there{at, 1};
    if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != 1) return false;
    return process_vm_writev(getpid(), &here, 1, &there, 1, 0) == 1;
}

}  // namespace vellum::test
