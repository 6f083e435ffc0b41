#pragma once

long long value(const char* text);
