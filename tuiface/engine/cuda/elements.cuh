// What the kernels share: 16 bytes of channels as float32 values, and what follows a convolution.
//
// No header is included, so that nvcc and NVRTC compile the same text anywhere, and g++ does behind an emulation of
// what CUDA adds to C++ (tests/cuda/emulation.h). It is compiled without contraction (-fmad=false): a product and a sum
// are fused where fmaf says so and nowhere else, and the compilers agree in every bit.
#pragma once

#ifndef EMULATED
#define DEVICE __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define WHOLE_WARP 0xffffffffu
DEVICE float float_of_bits(unsigned bits) { return __uint_as_float(bits); }
DEVICE unsigned bits_of_float(float value) { return __float_as_uint(value); }
DEVICE void floats_of_halves(unsigned pair, float& low, float& high) {
    asm("{.reg .f16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}" : "=f"(low), "=f"(high) : "r"(pair));
}
DEVICE unsigned halves_of_floats(float low, float high) {
    unsigned pair;
    asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(pair) : "f"(low), "f"(high));
    return pair;
}
DEVICE unsigned bfloats_of_floats(float low, float high) {
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(pair) : "f"(low), "f"(high));
    return pair;
}
#endif

// Element types. A thread handles VALUES channels at once, the 16 bytes that one load brings.
struct Float32 {
    static const int VALUES = 4;
    static DEVICE void unpack(uint4 packed, float* v) {
        v[0] = float_of_bits(packed.x), v[1] = float_of_bits(packed.y);
        v[2] = float_of_bits(packed.z), v[3] = float_of_bits(packed.w);
    }
    static DEVICE uint4 pack(const float* v) {
        return make_uint4(bits_of_float(v[0]), bits_of_float(v[1]), bits_of_float(v[2]), bits_of_float(v[3]));
    }
};

template <class Pair>
struct Pairs {
    static const int VALUES = 8;
    static DEVICE void unpack(uint4 packed, float* v) {
        Pair::split(packed.x, v[0], v[1]), Pair::split(packed.y, v[2], v[3]);
        Pair::split(packed.z, v[4], v[5]), Pair::split(packed.w, v[6], v[7]);
    }
    static DEVICE uint4 pack(const float* v) {
        return make_uint4(Pair::join(v[0], v[1]), Pair::join(v[2], v[3]), Pair::join(v[4], v[5]), Pair::join(v[6], v[7]));
    }
};
struct HalfPair {
    static DEVICE void split(unsigned pair, float& low, float& high) { floats_of_halves(pair, low, high); }
    static DEVICE unsigned join(float low, float high) { return halves_of_floats(low, high); }
};
struct BfloatPair {
    static DEVICE void split(unsigned pair, float& low, float& high) {
        low = float_of_bits(pair << 16), high = float_of_bits(pair & 0xffff0000u);
    }
    static DEVICE unsigned join(float low, float high) { return bfloats_of_floats(low, high); }
};
typedef Pairs<HalfPair> Float16;
typedef Pairs<BfloatPair> BFloat16;

// `VALUES` floats from an address of 16 bytes' alignment.
template <int VALUES>
DEVICE void load_floats(const float* from, float* v) {
#pragma unroll
    for (int k = 0; k < VALUES; k += 4) {
        const float4 four = *(const float4*)(from + k);
        v[k] = four.x, v[k + 1] = four.y, v[k + 2] = four.z, v[k + 3] = four.w;
    }
}

// The sum of one value of each lane, in every lane, in one order.
DEVICE float sum_warp(float value) {
    for (int distance = 16; distance; distance /= 2) value += __shfl_xor_sync(WHOLE_WARP, value, distance);
    return value;
}

// What follows a modulated convolution (Karras et al. 2020, eq. 3): demodulation, noise, bias, leaky ReLU, clamp, and the
// styles of the layer that reads it. The leaky ReLU's gain sqrt 2 rides on factor, bias and noise: it is positively
// homogeneous. The layout is mirrored by `Epilogue` in kernels.py.
struct Epilogue {
    const float* factor;  // [N, :] from the layer's first channel, rows `factor_stride` apart; null: no activation at all
    const float* bias;    // [C]
    const float* noise;   // [1 or N, side, side], samples `noise_stride` apart; null: none
    const float* scale;   // [N, :] as `factor`, rows `scale_stride` apart; null: left as it is
    int factor_stride, noise_stride, scale_stride;
    float clamp;
};

// A NaN stays one.
DEVICE float clamp_value(float value, float limit) { return value < -limit ? -limit : value > limit ? limit : value; }

// v * factor + bias + noise, through leaky ReLU and clamp.
template <int VALUES>
DEVICE void activate(float* v, const float* factor, const float* bias, float noise, float clamp) {
#pragma unroll
    for (int k = 0; k < VALUES; k++) {
        const float t = fmaf(v[k], factor[k], bias[k] + noise);
        v[k] = clamp_value(t < 0 ? t * 0.2f : t, clamp);
    }
}
