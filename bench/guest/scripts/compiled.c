/* Something for the compiler to work on; it is never run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tree {
    struct tree *left, *right;
    double weight;
    char name[24];
};

#define OPERATION(name, expression)                                                  \
    static double name(const double* a, const double* b, int n) {                    \
        double sum = 0;                                                              \
        for (int i = 0; i < n; ++i) {                                                \
            double x = a[i], y = b[i];                                               \
            if (x > y) sum += (expression);                                          \
            else if (x < -y) sum -= (expression) * (x - y);                          \
            else for (int k = 0; k < i % 8; ++k) sum += (expression) / (k + 1.0);    \
        }                                                                            \
        return sum;                                                                  \
    }

OPERATION(one, x + y)
OPERATION(two, x * y - 1)
OPERATION(three, x / (y * y + 1))
OPERATION(four, (x - y) * (x + y))
OPERATION(five, x * x * x + y)
OPERATION(six, x > 3 ? x : y * 7)
OPERATION(seven, (int)x % 7 + y)
OPERATION(eight, (unsigned)x << 3 ^ (unsigned)y)

struct tree* insert(struct tree* at, const char* name, double weight) {
    if (!at) {
        at = calloc(1, sizeof *at);
        strncpy(at->name, name, sizeof at->name - 1);
    }
    int order = strcmp(name, at->name);
    if (order < 0) at->left = insert(at->left, name, weight);
    else if (order > 0) at->right = insert(at->right, name, weight);
    else at->weight += weight;
    return at;
}

void print(const struct tree* at, int depth) {
    if (!at) return;
    print(at->left, depth + 1);
    printf("%*s%s: %g\n", depth * 2, "", at->name, at->weight);
    print(at->right, depth + 1);
}

int classify(const char* text) {
    int words = 0, digits = 0, state = 0;
    for (; *text; ++text) switch (*text) {
            case ' ': case '\t': case '\n': state = 0; break;
            case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
                ++digits;
                if (state != 1) state = 2;
                break;
            case '+': case '-': case '*': case '/': state = 3; break;
            default:
                if (state == 0) ++words;
                state = 1;
        }
    return words * 1000 + digits;
}

int main(int argc, char** argv) {
    static double a[512], b[512];
    double (*const all[])(const double*, const double*, int) = {one, two, three, four, five, six, seven, eight};
    struct tree* root = 0;
    for (int i = 0; i < 512; ++i) a[i] = i % 17 - 8, b[i] = i % 13;
    for (int i = 0; i < 8; ++i) root = insert(root, argc > i ? argv[i] : "none", all[i](a, b, 512));
    print(root, 0);
    return classify(argv[0]) % 2;
}
