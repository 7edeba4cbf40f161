// What CUDA adds to C++, for g++: the kernels of tuiface/engine/cuda run on a CPU, a block at a time.
//
// The threads of a block are fibres of one host thread: one runs until it exchanges a value or waits for the block, then
// the next does, so that launch geometry, pointers and the order of every sum are those of a GPU. A half precision value
// is rounded as there. What differs: nothing runs at once, so a missing __syncthreads is not found.
#pragma once
#include <ucontext.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#define EMULATED
#define DEVICE inline
#define KERNEL(threads) extern "C" void
#define __global__
#define __launch_bounds__(...)
#define __restrict__
#define __shared__ static
#define WHOLE_WARP 0xffffffffu
using std::sqrt;

struct Index { int x, y, z; };
struct uint4 { unsigned x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
inline Index threadIdx, blockIdx, blockDim, gridDim;
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

template <class To, class From>
To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
inline float float_of_bits(unsigned bits) { return bits_as<float>(bits); }
inline unsigned bits_of_float(float value) { return bits_as<unsigned>(value); }
inline void floats_of_halves(unsigned pair, float& low, float& high) {
    low = bits_as<_Float16>((unsigned short)pair), high = bits_as<_Float16>((unsigned short)(pair >> 16));
}
inline unsigned halves_of_floats(float low, float high) {
    return bits_as<unsigned short>((_Float16)low) | (unsigned)bits_as<unsigned short>((_Float16)high) << 16;
}
inline unsigned bfloat_of_float(float value) {
    const unsigned bits = bits_of_float(value);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline unsigned bfloats_of_floats(float low, float high) { return bfloat_of_float(low) | bfloat_of_float(high) << 16; }

// ---- fibres --------------------------------------------------------------------------------------------------------
struct Fibre {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    Index thread;
    bool done = false;
};
inline std::vector<Fibre> fibres;
inline ucontext_t scheduler;
inline int running = 0;
inline void (*body)() = nullptr;

inline void run_fibre() {
    body();
    fibres[running].done = true;
    swapcontext(&fibres[running].context, &scheduler);
}

// Let every other thread of the block come as far as this one: they all wait at the same places, or have ended.
inline void yield_fibre() {
    const int self = running;
    swapcontext(&fibres[self].context, &scheduler);
    threadIdx = fibres[self].thread;
}
inline void __syncthreads() { yield_fibre(); }
inline float exchanged[1024];
inline float __shfl_xor_sync(unsigned, float value, int distance) {
    exchanged[threadIdx.x] = value;
    yield_fibre();
    const float other = exchanged[threadIdx.x ^ distance];
    yield_fibre();
    return other;
}

inline void run_block() {
    for (bool alive = true; alive;) {
        alive = false;
        for (running = 0; running < (int)fibres.size(); running++) {
            Fibre& fibre = fibres[running];
            if (fibre.done) continue;
            threadIdx = fibre.thread;
            swapcontext(&scheduler, &fibre.context);
            alive |= !fibre.done;
        }
    }
}

inline void start_block(int threads) {
    const size_t STACK = 1 << 16;
    fibres.resize(threads);
    for (int t = 0; t < threads; t++) {
        Fibre& fibre = fibres[t];
        if (!fibre.stack) fibre.stack.reset(new char[STACK]);
        fibre.thread = {t, 0, 0}, fibre.done = false;
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack.get(), fibre.context.uc_stack.ss_size = STACK;
        fibre.context.uc_link = nullptr;
        makecontext(&fibre.context, run_fibre, 0);
    }
}

// ---- launches ------------------------------------------------------------------------------------------------------
// A kernel is called with pointers to its arguments, as cuLaunchKernel is given them.
template <class... Arguments, size_t... I>
void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
    kernel(*(std::remove_const_t<Arguments>*)arguments[I]...);
}

inline void (*invoke)(void**) = nullptr;
inline void** given = nullptr;

inline void launch(void (*wanted)(void**), bool exchanges, const int* grid, int threads, void** arguments) {
    invoke = wanted, given = arguments, body = [] { invoke(given); };
    blockDim = {threads, 1, 1}, gridDim = {grid[0], grid[1], grid[2]};
    for (int z = 0; z < grid[2]; z++)
        for (int y = 0; y < grid[1]; y++)
            for (int x = 0; x < grid[0]; x++) {
                blockIdx = {x, y, z};
                if (exchanges) {
                    start_block(threads);
                    run_block();
                } else {
                    for (int t = 0; t < threads; t++) threadIdx = {t, 0, 0}, body();
                }
            }
}

// EXPORT(name, exchanges) makes `launch_name`. `exchanges`: its threads wait for each other.
#define EXPORT(name, exchanges)                                                                  \
    template <class... Arguments>                                                                \
    void invoke_##name(void (*kernel)(Arguments...), void** arguments) {                         \
        call(kernel, arguments, std::index_sequence_for<Arguments...>());                        \
    }                                                                                            \
    extern "C" void launch_##name(const int* grid, int threads, void** arguments) {              \
        launch([](void** list) { invoke_##name(&name, list); }, exchanges, grid, threads, arguments); \
    }
