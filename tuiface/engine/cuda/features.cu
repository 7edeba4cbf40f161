// StyleGAN2 between its convolutions, in one element type: low-pass filter, activation, toRGB.
//
// Compiled once for each ELEMENT (Float32, Float16, BFloat16). NHWC throughout; sums are float32, in an order that the
// shapes alone fix. Sources: Karras et al. 2020 (arXiv 1912.04958), eq. 1-3, appendix B; 2020b (2006.06676), appendix C.
//
// Legend: N = batch, C = channels, H/W = height/width of the input (i) and output (o), CV = C / VALUES.
#include "elements.cuh"

// The 4x4 low-pass filter outer([1, 3, 3, 1]) / 64 times `gain`, with `pad` zeros around:
// x [N, Hi, Wi, C] -> y [N, Ho, Wo, C], Ho = Hi + 2 pad - 3. With `phases`, x lies as the four phases of an up-sampled
// picture: [N, ceil(Hi / 2), ceil(Wi / 2), 2, 2, C].
// A thread makes ROWS outputs of one column, and keeps the last four rows, filtered across, in registers.
template <class T, int ROWS, bool ACTIVATE>
DEVICE void filter(const uint4* __restrict__ x, uint4* __restrict__ y, int N, int Hi, int Wi, int C, int pad, float gain,
                   int phases, const Epilogue& after) {
    const int VALUES = T::VALUES, CV = C / VALUES, Ho = Hi + 2 * pad - 3, Wo = Wi + 2 * pad - 3;
    const int strips = (Ho + ROWS - 1) / ROWS;
    int rest = blockIdx.x * blockDim.x + threadIdx.x;
    if (rest >= N * strips * Wo * CV) return;
    const int vector = rest % CV;
    rest /= CV;
    const int column = rest % Wo;
    rest /= Wo;
    const int first = rest % strips * ROWS, n = rest / strips;

    float factor[VALUES], bias[VALUES], scale[VALUES], rows[4][VALUES];
    const float* noise = 0;
    if (ACTIVATE) {
        load_floats<VALUES>(after.factor + n * after.factor_stride + vector * VALUES, factor);
        load_floats<VALUES>(after.bias + vector * VALUES, bias);
        if (after.scale) load_floats<VALUES>(after.scale + n * after.scale_stride + vector * VALUES, scale);
        if (after.noise) noise = after.noise + n * after.noise_stride;
    }
    const int half_h = (Hi + 1) / 2, half_w = (Wi + 1) / 2;
    uint4 loaded[2][4];  // this row and the next: loads are in flight while a row is summed
#pragma unroll
    for (int r = -1; r < ROWS + 3; r++) {
        const int i = first + r + 1 - pad;
#pragma unroll
        for (int tap = 0; tap < 4 && r < ROWS + 2; tap++) {
            const int j = column + tap - pad;
            const bool inside = i >= 0 && i < Hi && j >= 0 && j < Wi;
            const int pixel = phases ? ((n * half_h + i / 2) * half_w + j / 2) * 4 + (i & 1) * 2 + (j & 1)
                                     : (n * Hi + i) * Wi + j;
            loaded[(r + 1) & 1][tap] = inside ? x[pixel * CV + vector] : make_uint4(0, 0, 0, 0);
        }
        if (r < 0) continue;
        float* row = rows[r & 3];
#pragma unroll
        for (int tap = 0; tap < 4; tap++) {
            float v[VALUES];
            T::unpack(loaded[r & 1][tap], v);
            const float weight = tap == 1 || tap == 2 ? 0.375f : 0.125f;
#pragma unroll
            for (int k = 0; k < VALUES; k++) row[k] = tap ? fmaf(v[k], weight, row[k]) : v[k] * weight;
        }
        const int o = first + r - 3;
        if (r < 3 || o >= Ho) continue;
        float v[VALUES];
#pragma unroll
        for (int k = 0; k < VALUES; k++) {
            const float outer = rows[(r + 1) & 3][k] + row[k], inner = rows[(r + 2) & 3][k] + rows[(r + 3) & 3][k];
            v[k] = fmaf(inner, 0.375f, outer * 0.125f) * gain;
        }
        if (ACTIVATE) {
            activate<VALUES>(v, factor, bias, noise ? noise[o * Wo + column] : 0.f, after.clamp);
            if (after.scale) {
#pragma unroll
                for (int k = 0; k < VALUES; k++) v[k] *= scale[k];
            }
        }
        y[((n * Ho + o) * Wo + column) * CV + vector] = T::pack(v);
    }
}

// toRGB of a block and the sum of the RGB pictures. The layout is mirrored by `ToRGB` in kernels.py.
struct ToRGB {
    const float* weight;   // [3, C], times the layer's gain
    const float* style;    // [N, :] from the layer's first channel, rows `style_stride` apart
    const float* bias;     // [3]
    const float* before;   // [N, side / 2, side / 2, 3]: the sum of the blocks before; null at the first
    float* sum;            // [N, side, side, 3]
    unsigned char* levels; // the same as bytes; null: not asked for
    int style_stride;
    float clamp;
};

// Up-sampled by the same filter: the nearest sample weighs 3/4, its neighbour 1/4, and zeros lie beyond the border.
DEVICE float upsampled(const float* channel, int half, int i, int j) {
    const int i0 = i / 2, i1 = i & 1 ? i0 + 1 : i0 - 1, j0 = j / 2, j1 = j & 1 ? j0 + 1 : j0 - 1;
    const bool has_row = i1 >= 0 && i1 < half, has_column = j1 >= 0 && j1 < half;
    const float a = channel[(i0 * half + j0) * 3], b = has_column ? channel[(i0 * half + j1) * 3] : 0.f;
    const float c = has_row ? channel[(i1 * half + j0) * 3] : 0.f;
    const float d = has_row && has_column ? channel[(i1 * half + j1) * 3] : 0.f;
    return (a * 0.75f + b * 0.25f) * 0.75f + (c * 0.75f + d * 0.25f) * 0.25f;
}

// After a plain convolution, x [N, side, side, C]: activation -> y, times the next styles (y may be x; null: not asked
// for), and toRGB of the activated features (rgb.sum null: not asked for).
// LANES = 2^j lanes share a pixel's channels; a thread handles PIXELS pixels of one sample, so that what belongs to a
// channel is read once. With PIXELS > 1, side * side is a multiple of PIXELS * 32 / LANES.
template <class T, int PIXELS>
DEVICE void finish(const uint4* x, uint4* y, int N, int side, int C, int LANES, const Epilogue& after, const ToRGB& rgb) {
    const int VALUES = T::VALUES, CV = C / VALUES, area = side * side, group = 32 / LANES;
    const int thread = blockIdx.x * blockDim.x + threadIdx.x, lane = thread % LANES;
    const int first = thread / 32 * PIXELS * group + thread % 32 / LANES;
    const bool exists = first < N * area;  // all lanes of a warp go on: they exchange sums below
    const int n = exists ? first / area : 0;
    float sums[PIXELS][3] = {};
    for (int vector = lane; vector < CV && exists; vector += LANES) {
        uint4 loaded[PIXELS];
        float factor[VALUES], bias[VALUES], scale[VALUES], colour[3][VALUES], noise[PIXELS];
#pragma unroll
        for (int p = 0; p < PIXELS; p++) {
            loaded[p] = x[(first + p * group) * CV + vector];
            noise[p] = after.noise ? after.noise[n * after.noise_stride + first + p * group - n * area] : 0.f;
        }
        if (after.factor) {
            load_floats<VALUES>(after.factor + n * after.factor_stride + vector * VALUES, factor);
            load_floats<VALUES>(after.bias + vector * VALUES, bias);
        }
        if (y && after.scale) load_floats<VALUES>(after.scale + n * after.scale_stride + vector * VALUES, scale);
        if (rgb.sum) {
            float style[VALUES];
            load_floats<VALUES>(rgb.style + n * rgb.style_stride + vector * VALUES, style);
#pragma unroll
            for (int c = 0; c < 3; c++) {
                load_floats<VALUES>(rgb.weight + c * C + vector * VALUES, colour[c]);
#pragma unroll
                for (int k = 0; k < VALUES; k++) colour[c][k] *= style[k];
            }
        }
#pragma unroll
        for (int p = 0; p < PIXELS; p++) {
            float v[VALUES];
            T::unpack(loaded[p], v);
            if (after.factor) activate<VALUES>(v, factor, bias, noise[p], after.clamp);
            if (rgb.sum) {
#pragma unroll
                for (int k = 0; k < VALUES; k++)
#pragma unroll
                    for (int c = 0; c < 3; c++) sums[p][c] = fmaf(v[k], colour[c][k], sums[p][c]);
            }
            if (!y) continue;
            if (after.scale) {
#pragma unroll
                for (int k = 0; k < VALUES; k++) v[k] *= scale[k];
            }
            y[(first + p * group) * CV + vector] = T::pack(v);
        }
    }
    if (!rgb.sum) return;
#pragma unroll
    for (int p = 0; p < PIXELS; p++) {
        for (int distance = LANES / 2; distance; distance /= 2)
            for (int c = 0; c < 3; c++) sums[p][c] += __shfl_xor_sync(WHOLE_WARP, sums[p][c], distance);
        const int pixel = first + p * group, i = (pixel - n * area) / side, j = pixel % side, half = side / 2;
        for (int c = lane; c < 3 && exists; c += LANES) {
            float t = clamp_value((c == 0 ? sums[p][0] : c == 1 ? sums[p][1] : sums[p][2]) + rgb.bias[c], rgb.clamp);
            if (rgb.before) t += upsampled(rgb.before + n * half * half * 3 + c, half, i, j);
            rgb.sum[pixel * 3 + c] = t;
            if (rgb.levels) {  // pixels.py, to_levels; a NaN becomes 0
                const float level = t * 127.5f + 128.f;
                rgb.levels[pixel * 3 + c] = (unsigned char)(level > 0.f ? (level < 255.f ? level : 255.f) : 0.f);
            }
        }
    }
}

#define FILTER(ROWS)                                                                                                  \
    KERNEL(256) filter_##ROWS(const uint4* x, uint4* y, int N, int Hi, int Wi, int C, int pad, float gain) {          \
        filter<ELEMENT, ROWS, false>(x, y, N, Hi, Wi, C, pad, gain, 0, Epilogue());                                   \
    }
#define UPSAMPLE(ROWS)                                                                                                \
    KERNEL(256) upsample_##ROWS(const uint4* x, uint4* y, int N, int Hi, int Wi, int C, Epilogue after) {             \
        filter<ELEMENT, ROWS, true>(x, y, N, Hi, Wi, C, 1, 4.f, 1, after);                                            \
    }
#define FINISH(PIXELS)                                                                                                \
    KERNEL(256) finish_##PIXELS(const uint4* x, uint4* y, int N, int side, int C, int LANES, Epilogue after, ToRGB rgb) { \
        finish<ELEMENT, PIXELS>(x, y, N, side, C, LANES, after, rgb);                                                 \
    }
FILTER(2) FILTER(8) UPSAMPLE(2) UPSAMPLE(8) FINISH(1) FINISH(4)
