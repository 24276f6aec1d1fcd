/* A mix after the idea of CoreMark: linked lists, small matrices and a state machine, held together by a CRC of 16 bits. */
#include "kernel.h"

static u16 crc16(u16 value, u16 crc) {
    for (u32 i = 0; i < 16; i++) {
        u32 carry = (value ^ crc) & 1;
        value >>= 1, crc >>= 1;
        if (carry) crc ^= 0xa001;
    }
    return crc;
}

/* Linked lists: search, reversal, merge sort. */
#define ITEMS 200
typedef struct Item {
    struct Item *next;
    u16 value, place;
} Item;
static Item items[ITEMS];

static Item *merge(Item *a, Item *b, u32 by_place) {
    Item head, *last = &head;
    while (a && b) {
        u32 left = by_place ? a->place <= b->place : a->value <= b->value;
        Item **from = left ? &a : &b;
        last = last->next = *from;
        *from = (*from)->next;
    }
    last->next = a ? a : b;
    return head.next;
}

static Item *sort_list(Item *list, u32 by_place) {
    if (!list || !list->next) return list;
    Item *slow = list, *fast = list->next;
    while (fast && fast->next) slow = slow->next, fast = fast->next->next;
    Item *second = slow->next;
    slow->next = 0;
    return merge(sort_list(list, by_place), sort_list(second, by_place), by_place);
}

static u16 run_list(u32 seed, u16 crc) {
    for (u32 i = 0; i < ITEMS; i++) {
        items[i].next = i + 1 < ITEMS ? &items[i + 1] : 0;
        items[i].value = (u16)next_random(&seed);
        items[i].place = (u16)i;
    }
    Item *list = sort_list(items, 0), *turned = 0;
    for (u32 wanted = 0; wanted < ITEMS; wanted += 16)
        for (Item *item = list; item; item = item->next)
            if (item->place == wanted) {
                crc = crc16(item->value, crc);
                break;
            }
    while (list) {
        Item *next = list->next;
        list->next = turned, turned = list, list = next;
    }
    list = sort_list(turned, 1);
    for (u32 i = 0; i < 8; i++, list = list->next) crc = crc16(list->value, crc);
    return crc;
}

/* Matrices of 16 bits with sums of 32. */
#define SIDE 12
static i32 result[SIDE][SIDE];
static short left[SIDE][SIDE], right[SIDE][SIDE];

static u16 run_matrix(u32 seed, u16 crc) {
    for (u32 i = 0; i < SIDE; i++)
        for (u32 k = 0; k < SIDE; k++) {
            left[i][k] = (short)next_random(&seed);
            right[i][k] = (short)(next_random(&seed) & 255);
        }
    for (u32 i = 0; i < SIDE; i++)
        for (u32 k = 0; k < SIDE; k++) {
            i32 sum = 0;
            for (u32 j = 0; j < SIDE; j++) {
                i32 product = left[i][j] * right[j][k];
                sum += (product >> 2 & 15) * (product >> 5 & 127) + product;
            }
            result[i][k] = sum;
        }
    i32 last = 0, total = 0;
    for (u32 i = 0; i < SIDE; i++)
        for (u32 k = 0; k < SIDE; k++) {
            total += result[i][k] > last ? 10 : 1;
            last = result[i][k];
            crc = crc16((u16)last, crc);
        }
    return crc16((u16)total, crc);
}

/* A state machine that classifies words as integers, fractions, powers or none of them. */
enum { START, SIGN, INTEGER, POINT, FRACTION, POWER, POWER_SIGN, POWER_DIGITS, INVALID, STATES };
static const char words[] = "5012,1234,-874,+122,35.54,.1234,-110.7,+0.64,5.5e3,-.123e-2,-87e+832,+0.6e-12,T0.3e-1F,1T3.4e4z,34.0e-T^,x,";

static u32 next_state(u32 state, char c) {
    u32 digit = c >= '0' && c <= '9', sign = c == '+' || c == '-';
    switch (state) {
    case START: return digit ? INTEGER : sign ? SIGN : c == '.' ? POINT : INVALID;
    case SIGN: return digit ? INTEGER : c == '.' ? POINT : INVALID;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? POWER : INVALID;
    case POINT: return digit ? FRACTION : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' ? POWER : INVALID;
    case POWER: return sign ? POWER_SIGN : digit ? POWER_DIGITS : INVALID;
    case POWER_SIGN: return digit ? POWER_DIGITS : INVALID;
    case POWER_DIGITS: return digit ? POWER_DIGITS : INVALID;
    default: return INVALID;
    }
}

static u16 run_states(u32 seed, u16 crc) {
    u32 ends[STATES] = {0}, visits[STATES] = {0}, state = START;
    for (u32 round = 0; round < 4; round++)
        for (u32 i = 0; i < sizeof words - 1; i++) {
            char c = words[i];
            if (c == ',') {
                ends[state]++;
                state = START;
                continue;
            }
            if (i % 32 == (seed & 31)) c ^= (char)round;
            state = next_state(state, c);
            visits[state]++;
        }
    for (u32 i = 0; i < STATES; i++) crc = crc16((u16)visits[i], crc16((u16)ends[i], crc));
    return crc;
}

EXPORT u32 run(u32 n) {
    u16 crc = 0xffff;
    while (n--) {
        crc = run_list(0x3415 + crc, crc);
        crc = run_matrix(0x6601 + crc, crc);
        crc = run_states(n + crc, crc);
    }
    return crc;
}
