/* The moons step by hand: struct of arrays, forward, backward and update in one function.
   Compile with -O3 -march=native -ffast-math, -DN=100 points, and one of -DRELU, -DTANH and
   -DSIGMOID. Weights are laid out as in the Python programs:
   each neuron its weights, then its bias. */
#include <math.h>

#define H 16

#if defined(RELU)
#define ACTIVATE(s) ((s) > 0.0 ? (s) : 0.0)
#define SLOPE(y) ((y) > 0.0 ? 1.0 : 0.0)
#elif defined(TANH)
#define ACTIVATE(s) tanh(s)
#define SLOPE(y) (1.0 - (y) * (y))
#elif defined(SIGMOID)
#define ACTIVATE(s) (1.0 / (1.0 + exp(-(s))))
#define SLOPE(y) ((y) * (1.0 - (y)))
#endif

static double h1[H][N], h2[H][N], d1[H][N], d2[H][N], ds[N];

double step(double *p, const double x[2][N], const double *y, double rate)
{
    double *w1 = p, *w2 = p + 48, *w3 = p + 320, loss = 0.0, penalty = 0.0;
    static double g[337];
    for (int j = 0; j < H; j++)
        for (int i = 0; i < N; i++)
            h1[j][i] = ACTIVATE(w1[3 * j] * x[0][i] + w1[3 * j + 1] * x[1][i] + w1[3 * j + 2]);
    for (int j = 0; j < H; j++) {
        double s[N];
        for (int i = 0; i < N; i++) s[i] = w2[17 * j + 16];
        for (int k = 0; k < H; k++) {
            double w = w2[17 * j + k];
            for (int i = 0; i < N; i++) s[i] += w * h1[k][i];
        }
        for (int i = 0; i < N; i++) h2[j][i] = ACTIVATE(s[i]);
    }
    for (int i = 0; i < N; i++) {
        double s = w3[16];
        for (int k = 0; k < H; k++) s += w3[k] * h2[k][i];
        double m = 1.0 - y[i] * s;
        loss += m > 0.0 ? m : 0.0;
        ds[i] = m > 0.0 ? -y[i] / N : 0.0;
    }
    for (int k = 0; k < 337; k++) { penalty += p[k] * p[k]; g[k] = 2e-4 * p[k]; }
    for (int k = 0; k < H; k++) {
        double s = 0.0;
        for (int i = 0; i < N; i++) { s += ds[i] * h2[k][i]; d2[k][i] = w3[k] * ds[i] * SLOPE(h2[k][i]); }
        g[320 + k] += s;
    }
    for (int i = 0; i < N; i++) g[336] += ds[i];
    for (int k = 0; k < H; k++)
        for (int i = 0; i < N; i++) d1[k][i] = 0.0;
    for (int j = 0; j < H; j++) {
        double b = 0.0;
        for (int i = 0; i < N; i++) b += d2[j][i];
        g[48 + 17 * j + 16] += b;
        for (int k = 0; k < H; k++) {
            double s = 0.0, w = w2[17 * j + k];
            for (int i = 0; i < N; i++) { s += d2[j][i] * h1[k][i]; d1[k][i] += w * d2[j][i]; }
            g[48 + 17 * j + k] += s;
        }
    }
    for (int j = 0; j < H; j++) {
        double a = 0.0, b = 0.0, c = 0.0;
        for (int i = 0; i < N; i++) {
            double d = d1[j][i] * SLOPE(h1[j][i]);
            a += d * x[0][i]; b += d * x[1][i]; c += d;
        }
        g[3 * j] += a; g[3 * j + 1] += b; g[3 * j + 2] += c;
    }
    for (int k = 0; k < 337; k++) p[k] -= rate * g[k];
    return loss / N + 1e-4 * penalty;
}
