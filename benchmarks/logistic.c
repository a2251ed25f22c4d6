/* Value and gradient of a logistic loss, summed over n samples of 20 numbers labelled -1 and 1. */
#include <math.h>

enum { FEATURES = 20 };

double loss(const double *X, const double *y, long n, const double *w, double *gradient)
{
    double total = 0.0, slopes[FEATURES] = {0.0};
    for (long i = 0; i < n; i++) {
        const double *x = X + i * FEATURES;
        double margin = 0.0;
        for (int k = 0; k < FEATURES; k++)
            margin += w[k] * x[k];
        margin *= -y[i];
        double small = exp(-fabs(margin));
        total += fmax(margin, 0.0) + log1p(small);
        double slope = -y[i] * (margin >= 0.0 ? 1.0 : small) / (1.0 + small);
        for (int k = 0; k < FEATURES; k++)
            slopes[k] += slope * x[k];
    }
    for (int k = 0; k < FEATURES; k++)
        gradient[k] = slopes[k];
    return total;
}
