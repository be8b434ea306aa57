// The translator's optimisations by name, for --without: to bisect a fault, or to measure what one brings.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "jit/config.hpp"

namespace vellum {

struct TranslatorSwitch {
    std::string_view name, text;  // `text`: what it is that goes away
    void (*turn_off)(TranslatorConfig&);
};

std::span<const TranslatorSwitch> translator_switches();
const TranslatorSwitch* find_switch(std::string_view name);  // null: there is none of that name
std::string described_switches();                            // a line each

}  // namespace vellum
