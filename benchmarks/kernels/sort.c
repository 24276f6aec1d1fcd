/* call_indirect: n quicksorts of 5,000 records by comparison functions taken from a table, by four keys in turn. */
#include "kernel.h"

#define COUNT 5000
typedef struct {
    u32 key;
    i32 weight;
    u16 group, rank;
} Record;
typedef i32 (*Order)(const Record *, const Record *);

static Record records[COUNT];

static i32 by_key(const Record *a, const Record *b) { return a->key < b->key ? -1 : a->key > b->key; }
static i32 by_weight(const Record *a, const Record *b) { return a->weight < b->weight ? -1 : a->weight > b->weight; }
static i32 by_group(const Record *a, const Record *b) { return a->group != b->group ? a->group - b->group : by_key(a, b); }
static i32 by_rank(const Record *a, const Record *b) { return a->rank != b->rank ? b->rank - a->rank : by_weight(a, b); }

static Order volatile orders[4] = {by_key, by_weight, by_group, by_rank};

static void sort(i32 low, i32 high, Order order) {
    while (low < high) {
        Record pivot = records[(low + high) / 2];
        i32 i = low, k = high;
        while (i <= k) {
            while (order(&records[i], &pivot) < 0) i++;
            while (order(&records[k], &pivot) > 0) k--;
            if (i <= k) {
                Record swapped = records[i];
                records[i++] = records[k];
                records[k--] = swapped;
            }
        }
        if (k - low < high - i) {
            sort(low, k, order);
            low = i;
        } else {
            sort(i, high, order);
            high = k;
        }
    }
}

EXPORT u32 run(u32 n) {
    u32 state = 0xcafebabe, sum = 0;
    while (n--) {
        for (u32 i = 0; i < COUNT; i++) {
            records[i].key = next_random(&state);
            records[i].weight = (i32)next_random(&state);
            records[i].group = (u16)(next_random(&state) % 100);
            records[i].rank = (u16)(next_random(&state) % 1000);
        }
        sort(0, COUNT - 1, orders[n % 4]);
        for (u32 i = 0; i < COUNT; i += 7) sum = sum * 31 + records[i].key;
    }
    return sum;
}
