// Locks the process in: from then on the kernel refuses all system calls but those that a running machine needs.
// Whoever breaks out of a guest finds himself in a process that can open no file, start no program and reach no
// network. docs/decisions/sandbox.md says what is permitted, what happens to the rest, and what this does not protect
// from.
#pragma once

namespace vellum {

// The address and thread sanitizers open files, start a symbolizer and trace their own process when they report.
#if defined(VELLUM_SANITIZED) || defined(__SANITIZE_THREAD__)
constexpr bool sandbox_suits_this_build = false;
#else
constexpr bool sandbox_suits_this_build = true;
#endif

// For all threads of the process, those that are there and those to come, for ever. What the machine still wants opened
// goes through a FileAccess that was made before. Throws UsageError when the host's kernel offers no such filter.
void enter_sandbox();

}  // namespace vellum
