"""THE TABLE: one row per instruction, under the specification's headings (appendix, index of instructions).

Columns: opcode (prefix and number in hexadecimal) | text name | immediates | type | feature | heat

* immediates: `block` (block type), `label`, `labels` (vector and default), `func`, `type`, `table`, `local`, `global`,
  `mem`, `data`, `elem`, `tag`, `field`, `memarg:N` (natural width in bytes), `lane:N` (number of lanes), `lanes16`,
  `i32`, `i64`, `f32`, `f64`, `v128`, `types` (vector of value types), `heap` (heap type), `catches`, `castflags`, `u32`,
  `zero` (a zero byte); `-` is none.
* type: the operands and results of a plain instruction; `addr` is the index type of the memory; `special` marks the
  explicit exceptions, whose rule needs the context and is written out in `valid/`.
* feature: the proposal that brought it; gates and needs derive from it.
* heat: how many operand kinds its native handlers get: 0 slots only, 1 cool, 2 hot, 3 hottest.
"""

TABLE = """
# Control instructions
00    | unreachable                     | -                | special                    | mvp                     | 0
01    | nop                             | -                | ->                         | mvp                     | 0
02    | block                           | block            | special                    | mvp                     | 0
03    | loop                            | block            | special                    | mvp                     | 0
04    | if                              | block            | special                    | mvp                     | 2
05    | else                            | -                | special                    | mvp                     | 0
06    | try                             | block            | special                    | legacy-exceptions       | 0
07    | catch                           | tag              | special                    | legacy-exceptions       | 0
08    | throw                           | tag              | special                    | exceptions              | 0
09    | rethrow                         | label            | special                    | legacy-exceptions       | 0
0A    | throw_ref                       | -                | special                    | exceptions              | 0
0B    | end                             | -                | special                    | mvp                     | 0
0C    | br                              | label            | special                    | mvp                     | 2
0D    | br_if                           | label            | special                    | mvp                     | 2
0E    | br_table                        | labels           | special                    | mvp                     | 1
0F    | return                          | -                | special                    | mvp                     | 1
10    | call                            | func             | special                    | mvp                     | 1
11    | call_indirect                   | type table       | special                    | mvp                     | 1
12    | return_call                     | func             | special                    | tail-call               | 0
13    | return_call_indirect            | type table       | special                    | tail-call               | 0
14    | call_ref                        | type             | special                    | function-references     | 0
15    | return_call_ref                 | type             | special                    | function-references     | 0
18    | delegate                        | label            | special                    | legacy-exceptions       | 0
19    | catch_all                       | -                | special                    | legacy-exceptions       | 0
1F    | try_table                       | block catches    | special                    | exceptions              | 0
D4    | ref.as_non_null                 | -                | special                    | function-references     | 0
D5    | br_on_null                      | label            | special                    | function-references     | 0
D6    | br_on_non_null                  | label            | special                    | function-references     | 0
# Parametric instructions
1A    | drop                            | -                | special                    | mvp                     | 1
1B    | select                          | -                | special                    | mvp                     | 2
1C    | select_t                        | types            | special                    | reference-types         | 2
# Variable instructions
20    | local.get                       | local            | special                    | mvp                     | 2
21    | local.set                       | local            | special                    | mvp                     | 2
22    | local.tee                       | local            | special                    | mvp                     | 2
23    | global.get                      | global           | special                    | mvp                     | 1
24    | global.set                      | global           | special                    | mvp                     | 1
# Table instructions
25    | table.get                       | table            | special                    | reference-types         | 0
26    | table.set                       | table            | special                    | reference-types         | 0
FC 0C | table.init                      | elem table       | special                    | bulk-memory             | 0
FC 0D | elem.drop                       | elem             | special                    | bulk-memory             | 0
FC 0E | table.copy                      | table table      | special                    | bulk-memory             | 0
FC 0F | table.grow                      | table            | special                    | reference-types         | 0
FC 10 | table.size                      | table            | special                    | reference-types         | 0
FC 11 | table.fill                      | table            | special                    | reference-types         | 0
# Memory instructions
28    | i32.load                        | memarg:4         | addr -> i32                | mvp                     | 3
29    | i64.load                        | memarg:8         | addr -> i64                | mvp                     | 3
2A    | f32.load                        | memarg:4         | addr -> f32                | mvp                     | 2
2B    | f64.load                        | memarg:8         | addr -> f64                | mvp                     | 3
2C    | i32.load8_s                     | memarg:1         | addr -> i32                | mvp                     | 2
2D    | i32.load8_u                     | memarg:1         | addr -> i32                | mvp                     | 3
2E    | i32.load16_s                    | memarg:2         | addr -> i32                | mvp                     | 2
2F    | i32.load16_u                    | memarg:2         | addr -> i32                | mvp                     | 2
30    | i64.load8_s                     | memarg:1         | addr -> i64                | mvp                     | 2
31    | i64.load8_u                     | memarg:1         | addr -> i64                | mvp                     | 2
32    | i64.load16_s                    | memarg:2         | addr -> i64                | mvp                     | 2
33    | i64.load16_u                    | memarg:2         | addr -> i64                | mvp                     | 2
34    | i64.load32_s                    | memarg:4         | addr -> i64                | mvp                     | 2
35    | i64.load32_u                    | memarg:4         | addr -> i64                | mvp                     | 2
36    | i32.store                       | memarg:4         | addr i32 ->                | mvp                     | 3
37    | i64.store                       | memarg:8         | addr i64 ->                | mvp                     | 3
38    | f32.store                       | memarg:4         | addr f32 ->                | mvp                     | 2
39    | f64.store                       | memarg:8         | addr f64 ->                | mvp                     | 3
3A    | i32.store8                      | memarg:1         | addr i32 ->                | mvp                     | 3
3B    | i32.store16                     | memarg:2         | addr i32 ->                | mvp                     | 2
3C    | i64.store8                      | memarg:1         | addr i64 ->                | mvp                     | 2
3D    | i64.store16                     | memarg:2         | addr i64 ->                | mvp                     | 2
3E    | i64.store32                     | memarg:4         | addr i64 ->                | mvp                     | 2
3F    | memory.size                     | mem              | -> addr                    | mvp                     | 0
40    | memory.grow                     | mem              | addr -> addr               | mvp                     | 0
FC 08 | memory.init                     | data mem         | addr i32 i32 ->            | bulk-memory             | 0
FC 09 | data.drop                       | data             | ->                         | bulk-memory             | 0
FC 0A | memory.copy                     | mem mem          | addr addr addr ->          | bulk-memory             | 0
FC 0B | memory.fill                     | mem              | addr i32 addr ->           | bulk-memory             | 0
# Numeric instructions: constants
41    | i32.const                       | i32              | -> i32                     | mvp                     | 3
42    | i64.const                       | i64              | -> i64                     | mvp                     | 3
43    | f32.const                       | f32              | -> f32                     | mvp                     | 3
44    | f64.const                       | f64              | -> f64                     | mvp                     | 3
# Numeric instructions: comparisons
45    | i32.eqz                         | -                | i32 -> i32                 | mvp                     | 3
46    | i32.eq                          | -                | i32 i32 -> i32             | mvp                     | 3
47    | i32.ne                          | -                | i32 i32 -> i32             | mvp                     | 3
48    | i32.lt_s                        | -                | i32 i32 -> i32             | mvp                     | 3
49    | i32.lt_u                        | -                | i32 i32 -> i32             | mvp                     | 3
4A    | i32.gt_s                        | -                | i32 i32 -> i32             | mvp                     | 3
4B    | i32.gt_u                        | -                | i32 i32 -> i32             | mvp                     | 3
4C    | i32.le_s                        | -                | i32 i32 -> i32             | mvp                     | 3
4D    | i32.le_u                        | -                | i32 i32 -> i32             | mvp                     | 3
4E    | i32.ge_s                        | -                | i32 i32 -> i32             | mvp                     | 3
4F    | i32.ge_u                        | -                | i32 i32 -> i32             | mvp                     | 3
50    | i64.eqz                         | -                | i64 -> i32                 | mvp                     | 3
51    | i64.eq                          | -                | i64 i64 -> i32             | mvp                     | 3
52    | i64.ne                          | -                | i64 i64 -> i32             | mvp                     | 3
53    | i64.lt_s                        | -                | i64 i64 -> i32             | mvp                     | 3
54    | i64.lt_u                        | -                | i64 i64 -> i32             | mvp                     | 3
55    | i64.gt_s                        | -                | i64 i64 -> i32             | mvp                     | 3
56    | i64.gt_u                        | -                | i64 i64 -> i32             | mvp                     | 3
57    | i64.le_s                        | -                | i64 i64 -> i32             | mvp                     | 3
58    | i64.le_u                        | -                | i64 i64 -> i32             | mvp                     | 3
59    | i64.ge_s                        | -                | i64 i64 -> i32             | mvp                     | 3
5A    | i64.ge_u                        | -                | i64 i64 -> i32             | mvp                     | 3
5B    | f32.eq                          | -                | f32 f32 -> i32             | mvp                     | 2
5C    | f32.ne                          | -                | f32 f32 -> i32             | mvp                     | 2
5D    | f32.lt                          | -                | f32 f32 -> i32             | mvp                     | 2
5E    | f32.gt                          | -                | f32 f32 -> i32             | mvp                     | 2
5F    | f32.le                          | -                | f32 f32 -> i32             | mvp                     | 2
60    | f32.ge                          | -                | f32 f32 -> i32             | mvp                     | 2
61    | f64.eq                          | -                | f64 f64 -> i32             | mvp                     | 2
62    | f64.ne                          | -                | f64 f64 -> i32             | mvp                     | 2
63    | f64.lt                          | -                | f64 f64 -> i32             | mvp                     | 2
64    | f64.gt                          | -                | f64 f64 -> i32             | mvp                     | 2
65    | f64.le                          | -                | f64 f64 -> i32             | mvp                     | 2
66    | f64.ge                          | -                | f64 f64 -> i32             | mvp                     | 2
# Numeric instructions: arithmetic
67    | i32.clz                         | -                | i32 -> i32                 | mvp                     | 1
68    | i32.ctz                         | -                | i32 -> i32                 | mvp                     | 1
69    | i32.popcnt                      | -                | i32 -> i32                 | mvp                     | 1
6A    | i32.add                         | -                | i32 i32 -> i32             | mvp                     | 3
6B    | i32.sub                         | -                | i32 i32 -> i32             | mvp                     | 3
6C    | i32.mul                         | -                | i32 i32 -> i32             | mvp                     | 3
6D    | i32.div_s                       | -                | i32 i32 -> i32             | mvp                     | 1
6E    | i32.div_u                       | -                | i32 i32 -> i32             | mvp                     | 1
6F    | i32.rem_s                       | -                | i32 i32 -> i32             | mvp                     | 1
70    | i32.rem_u                       | -                | i32 i32 -> i32             | mvp                     | 1
71    | i32.and                         | -                | i32 i32 -> i32             | mvp                     | 3
72    | i32.or                          | -                | i32 i32 -> i32             | mvp                     | 3
73    | i32.xor                         | -                | i32 i32 -> i32             | mvp                     | 3
74    | i32.shl                         | -                | i32 i32 -> i32             | mvp                     | 3
75    | i32.shr_s                       | -                | i32 i32 -> i32             | mvp                     | 3
76    | i32.shr_u                       | -                | i32 i32 -> i32             | mvp                     | 3
77    | i32.rotl                        | -                | i32 i32 -> i32             | mvp                     | 3
78    | i32.rotr                        | -                | i32 i32 -> i32             | mvp                     | 1
79    | i64.clz                         | -                | i64 -> i64                 | mvp                     | 1
7A    | i64.ctz                         | -                | i64 -> i64                 | mvp                     | 1
7B    | i64.popcnt                      | -                | i64 -> i64                 | mvp                     | 1
7C    | i64.add                         | -                | i64 i64 -> i64             | mvp                     | 3
7D    | i64.sub                         | -                | i64 i64 -> i64             | mvp                     | 3
7E    | i64.mul                         | -                | i64 i64 -> i64             | mvp                     | 3
7F    | i64.div_s                       | -                | i64 i64 -> i64             | mvp                     | 1
80    | i64.div_u                       | -                | i64 i64 -> i64             | mvp                     | 1
81    | i64.rem_s                       | -                | i64 i64 -> i64             | mvp                     | 1
82    | i64.rem_u                       | -                | i64 i64 -> i64             | mvp                     | 1
83    | i64.and                         | -                | i64 i64 -> i64             | mvp                     | 3
84    | i64.or                          | -                | i64 i64 -> i64             | mvp                     | 3
85    | i64.xor                         | -                | i64 i64 -> i64             | mvp                     | 3
86    | i64.shl                         | -                | i64 i64 -> i64             | mvp                     | 3
87    | i64.shr_s                       | -                | i64 i64 -> i64             | mvp                     | 3
88    | i64.shr_u                       | -                | i64 i64 -> i64             | mvp                     | 3
89    | i64.rotl                        | -                | i64 i64 -> i64             | mvp                     | 3
8A    | i64.rotr                        | -                | i64 i64 -> i64             | mvp                     | 1
8B    | f32.abs                         | -                | f32 -> f32                 | mvp                     | 1
8C    | f32.neg                         | -                | f32 -> f32                 | mvp                     | 1
8D    | f32.ceil                        | -                | f32 -> f32                 | mvp                     | 1
8E    | f32.floor                       | -                | f32 -> f32                 | mvp                     | 1
8F    | f32.trunc                       | -                | f32 -> f32                 | mvp                     | 1
90    | f32.nearest                     | -                | f32 -> f32                 | mvp                     | 1
91    | f32.sqrt                        | -                | f32 -> f32                 | mvp                     | 1
92    | f32.add                         | -                | f32 f32 -> f32             | mvp                     | 3
93    | f32.sub                         | -                | f32 f32 -> f32             | mvp                     | 3
94    | f32.mul                         | -                | f32 f32 -> f32             | mvp                     | 3
95    | f32.div                         | -                | f32 f32 -> f32             | mvp                     | 3
96    | f32.min                         | -                | f32 f32 -> f32             | mvp                     | 1
97    | f32.max                         | -                | f32 f32 -> f32             | mvp                     | 1
98    | f32.copysign                    | -                | f32 f32 -> f32             | mvp                     | 1
99    | f64.abs                         | -                | f64 -> f64                 | mvp                     | 1
9A    | f64.neg                         | -                | f64 -> f64                 | mvp                     | 1
9B    | f64.ceil                        | -                | f64 -> f64                 | mvp                     | 1
9C    | f64.floor                       | -                | f64 -> f64                 | mvp                     | 1
9D    | f64.trunc                       | -                | f64 -> f64                 | mvp                     | 1
9E    | f64.nearest                     | -                | f64 -> f64                 | mvp                     | 1
9F    | f64.sqrt                        | -                | f64 -> f64                 | mvp                     | 1
A0    | f64.add                         | -                | f64 f64 -> f64             | mvp                     | 3
A1    | f64.sub                         | -                | f64 f64 -> f64             | mvp                     | 3
A2    | f64.mul                         | -                | f64 f64 -> f64             | mvp                     | 3
A3    | f64.div                         | -                | f64 f64 -> f64             | mvp                     | 3
A4    | f64.min                         | -                | f64 f64 -> f64             | mvp                     | 1
A5    | f64.max                         | -                | f64 f64 -> f64             | mvp                     | 1
A6    | f64.copysign                    | -                | f64 f64 -> f64             | mvp                     | 1
# Numeric instructions: conversions
A7    | i32.wrap_i64                    | -                | i64 -> i32                 | mvp                     | 2
A8    | i32.trunc_f32_s                 | -                | f32 -> i32                 | mvp                     | 1
A9    | i32.trunc_f32_u                 | -                | f32 -> i32                 | mvp                     | 1
AA    | i32.trunc_f64_s                 | -                | f64 -> i32                 | mvp                     | 1
AB    | i32.trunc_f64_u                 | -                | f64 -> i32                 | mvp                     | 1
AC    | i64.extend_i32_s                | -                | i32 -> i64                 | mvp                     | 2
AD    | i64.extend_i32_u                | -                | i32 -> i64                 | mvp                     | 2
AE    | i64.trunc_f32_s                 | -                | f32 -> i64                 | mvp                     | 1
AF    | i64.trunc_f32_u                 | -                | f32 -> i64                 | mvp                     | 1
B0    | i64.trunc_f64_s                 | -                | f64 -> i64                 | mvp                     | 1
B1    | i64.trunc_f64_u                 | -                | f64 -> i64                 | mvp                     | 1
B2    | f32.convert_i32_s               | -                | i32 -> f32                 | mvp                     | 1
B3    | f32.convert_i32_u               | -                | i32 -> f32                 | mvp                     | 1
B4    | f32.convert_i64_s               | -                | i64 -> f32                 | mvp                     | 1
B5    | f32.convert_i64_u               | -                | i64 -> f32                 | mvp                     | 1
B6    | f32.demote_f64                  | -                | f64 -> f32                 | mvp                     | 1
B7    | f64.convert_i32_s               | -                | i32 -> f64                 | mvp                     | 1
B8    | f64.convert_i32_u               | -                | i32 -> f64                 | mvp                     | 1
B9    | f64.convert_i64_s               | -                | i64 -> f64                 | mvp                     | 1
BA    | f64.convert_i64_u               | -                | i64 -> f64                 | mvp                     | 1
BB    | f64.promote_f32                 | -                | f32 -> f64                 | mvp                     | 1
BC    | i32.reinterpret_f32             | -                | f32 -> i32                 | mvp                     | 1
BD    | i64.reinterpret_f64             | -                | f64 -> i64                 | mvp                     | 1
BE    | f32.reinterpret_i32             | -                | i32 -> f32                 | mvp                     | 1
BF    | f64.reinterpret_i64             | -                | i64 -> f64                 | mvp                     | 1
C0    | i32.extend8_s                   | -                | i32 -> i32                 | sign-extension          | 1
C1    | i32.extend16_s                  | -                | i32 -> i32                 | sign-extension          | 1
C2    | i64.extend8_s                   | -                | i64 -> i64                 | sign-extension          | 1
C3    | i64.extend16_s                  | -                | i64 -> i64                 | sign-extension          | 1
C4    | i64.extend32_s                  | -                | i64 -> i64                 | sign-extension          | 1
FC 00 | i32.trunc_sat_f32_s             | -                | f32 -> i32                 | saturating-float-to-int | 0
FC 01 | i32.trunc_sat_f32_u             | -                | f32 -> i32                 | saturating-float-to-int | 0
FC 02 | i32.trunc_sat_f64_s             | -                | f64 -> i32                 | saturating-float-to-int | 0
FC 03 | i32.trunc_sat_f64_u             | -                | f64 -> i32                 | saturating-float-to-int | 0
FC 04 | i64.trunc_sat_f32_s             | -                | f32 -> i64                 | saturating-float-to-int | 0
FC 05 | i64.trunc_sat_f32_u             | -                | f32 -> i64                 | saturating-float-to-int | 0
FC 06 | i64.trunc_sat_f64_s             | -                | f64 -> i64                 | saturating-float-to-int | 0
FC 07 | i64.trunc_sat_f64_u             | -                | f64 -> i64                 | saturating-float-to-int | 0
FC 13 | i64.add128                      | -                | i64 i64 i64 i64 -> i64 i64 | wide-arithmetic         | 0
FC 14 | i64.sub128                      | -                | i64 i64 i64 i64 -> i64 i64 | wide-arithmetic         | 0
FC 15 | i64.mul_wide_s                  | -                | i64 i64 -> i64 i64         | wide-arithmetic         | 0
FC 16 | i64.mul_wide_u                  | -                | i64 i64 -> i64 i64         | wide-arithmetic         | 0
# Reference instructions
D0    | ref.null                        | heap             | special                    | reference-types         | 0
D1    | ref.is_null                     | -                | special                    | reference-types         | 0
D2    | ref.func                        | func             | special                    | reference-types         | 0
D3    | ref.eq                          | -                | special                    | gc                      | 0
FB 00 | struct.new                      | type             | special                    | gc                      | 0
FB 01 | struct.new_default              | type             | special                    | gc                      | 0
FB 02 | struct.get                      | type field       | special                    | gc                      | 0
FB 03 | struct.get_s                    | type field       | special                    | gc                      | 0
FB 04 | struct.get_u                    | type field       | special                    | gc                      | 0
FB 05 | struct.set                      | type field       | special                    | gc                      | 0
FB 06 | array.new                       | type             | special                    | gc                      | 0
FB 07 | array.new_default               | type             | special                    | gc                      | 0
FB 08 | array.new_fixed                 | type u32         | special                    | gc                      | 0
FB 09 | array.new_data                  | type data        | special                    | gc                      | 0
FB 0A | array.new_elem                  | type elem        | special                    | gc                      | 0
FB 0B | array.get                       | type             | special                    | gc                      | 0
FB 0C | array.get_s                     | type             | special                    | gc                      | 0
FB 0D | array.get_u                     | type             | special                    | gc                      | 0
FB 0E | array.set                       | type             | special                    | gc                      | 0
FB 0F | array.len                       | -                | special                    | gc                      | 0
FB 10 | array.fill                      | type             | special                    | gc                      | 0
FB 11 | array.copy                      | type type        | special                    | gc                      | 0
FB 12 | array.init_data                 | type data        | special                    | gc                      | 0
FB 13 | array.init_elem                 | type elem        | special                    | gc                      | 0
FB 14 | ref.test                        | heap             | special                    | gc                      | 0
FB 15 | ref.test_null                   | heap             | special                    | gc                      | 0
FB 16 | ref.cast                        | heap             | special                    | gc                      | 0
FB 17 | ref.cast_null                   | heap             | special                    | gc                      | 0
FB 18 | br_on_cast                      | castflags label heap heap| special                    | gc                      | 0
FB 19 | br_on_cast_fail                 | castflags label heap heap| special                    | gc                      | 0
FB 1A | any.convert_extern              | -                | special                    | gc                      | 0
FB 1B | extern.convert_any              | -                | special                    | gc                      | 0
FB 1C | ref.i31                         | -                | special                    | gc                      | 0
FB 1D | i31.get_s                       | -                | special                    | gc                      | 0
FB 1E | i31.get_u                       | -                | special                    | gc                      | 0
# Vector instructions: memory and constants
FD 00 | v128.load                       | memarg:16        | addr -> v128               | simd                    | 0
FD 01 | v128.load8x8_s                  | memarg:8         | addr -> v128               | simd                    | 0
FD 02 | v128.load8x8_u                  | memarg:8         | addr -> v128               | simd                    | 0
FD 03 | v128.load16x4_s                 | memarg:8         | addr -> v128               | simd                    | 0
FD 04 | v128.load16x4_u                 | memarg:8         | addr -> v128               | simd                    | 0
FD 05 | v128.load32x2_s                 | memarg:8         | addr -> v128               | simd                    | 0
FD 06 | v128.load32x2_u                 | memarg:8         | addr -> v128               | simd                    | 0
FD 07 | v128.load8_splat                | memarg:1         | addr -> v128               | simd                    | 0
FD 08 | v128.load16_splat               | memarg:2         | addr -> v128               | simd                    | 0
FD 09 | v128.load32_splat               | memarg:4         | addr -> v128               | simd                    | 0
FD 0A | v128.load64_splat               | memarg:8         | addr -> v128               | simd                    | 0
FD 0B | v128.store                      | memarg:16        | addr v128 ->               | simd                    | 0
FD 0C | v128.const                      | v128             | -> v128                    | simd                    | 0
FD 54 | v128.load8_lane                 | memarg:1 lane:16 | addr v128 -> v128          | simd                    | 0
FD 55 | v128.load16_lane                | memarg:2 lane:8  | addr v128 -> v128          | simd                    | 0
FD 56 | v128.load32_lane                | memarg:4 lane:4  | addr v128 -> v128          | simd                    | 0
FD 57 | v128.load64_lane                | memarg:8 lane:2  | addr v128 -> v128          | simd                    | 0
FD 58 | v128.store8_lane                | memarg:1 lane:16 | addr v128 ->               | simd                    | 0
FD 59 | v128.store16_lane               | memarg:2 lane:8  | addr v128 ->               | simd                    | 0
FD 5A | v128.store32_lane               | memarg:4 lane:4  | addr v128 ->               | simd                    | 0
FD 5B | v128.store64_lane               | memarg:8 lane:2  | addr v128 ->               | simd                    | 0
FD 5C | v128.load32_zero                | memarg:4         | addr -> v128               | simd                    | 0
FD 5D | v128.load64_zero                | memarg:8         | addr -> v128               | simd                    | 0
# Vector instructions: lanes
FD 0D | i8x16.shuffle                   | lanes16          | v128 v128 -> v128          | simd                    | 0
FD 0E | i8x16.swizzle                   | -                | v128 v128 -> v128          | simd                    | 0
FD 0F | i8x16.splat                     | -                | i32 -> v128                | simd                    | 0
FD 10 | i16x8.splat                     | -                | i32 -> v128                | simd                    | 0
FD 11 | i32x4.splat                     | -                | i32 -> v128                | simd                    | 0
FD 12 | i64x2.splat                     | -                | i64 -> v128                | simd                    | 0
FD 13 | f32x4.splat                     | -                | f32 -> v128                | simd                    | 0
FD 14 | f64x2.splat                     | -                | f64 -> v128                | simd                    | 0
FD 15 | i8x16.extract_lane_s            | lane:16          | v128 -> i32                | simd                    | 0
FD 16 | i8x16.extract_lane_u            | lane:16          | v128 -> i32                | simd                    | 0
FD 18 | i16x8.extract_lane_s            | lane:8           | v128 -> i32                | simd                    | 0
FD 19 | i16x8.extract_lane_u            | lane:8           | v128 -> i32                | simd                    | 0
FD 1B | i32x4.extract_lane              | lane:4           | v128 -> i32                | simd                    | 0
FD 1D | i64x2.extract_lane              | lane:2           | v128 -> i64                | simd                    | 0
FD 1F | f32x4.extract_lane              | lane:4           | v128 -> f32                | simd                    | 0
FD 21 | f64x2.extract_lane              | lane:2           | v128 -> f64                | simd                    | 0
FD 17 | i8x16.replace_lane              | lane:16          | v128 i32 -> v128           | simd                    | 0
FD 1A | i16x8.replace_lane              | lane:8           | v128 i32 -> v128           | simd                    | 0
FD 1C | i32x4.replace_lane              | lane:4           | v128 i32 -> v128           | simd                    | 0
FD 1E | i64x2.replace_lane              | lane:2           | v128 i64 -> v128           | simd                    | 0
FD 20 | f32x4.replace_lane              | lane:4           | v128 f32 -> v128           | simd                    | 0
FD 22 | f64x2.replace_lane              | lane:2           | v128 f64 -> v128           | simd                    | 0
# Vector instructions: comparisons
FD 23 | i8x16.eq                        | -                | v128 v128 -> v128          | simd                    | 0
FD 24 | i8x16.ne                        | -                | v128 v128 -> v128          | simd                    | 0
FD 25 | i8x16.lt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 26 | i8x16.lt_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 27 | i8x16.gt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 28 | i8x16.gt_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 29 | i8x16.le_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 2A | i8x16.le_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 2B | i8x16.ge_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 2C | i8x16.ge_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 2D | i16x8.eq                        | -                | v128 v128 -> v128          | simd                    | 0
FD 2E | i16x8.ne                        | -                | v128 v128 -> v128          | simd                    | 0
FD 2F | i16x8.lt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 30 | i16x8.lt_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 31 | i16x8.gt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 32 | i16x8.gt_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 33 | i16x8.le_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 34 | i16x8.le_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 35 | i16x8.ge_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 36 | i16x8.ge_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 37 | i32x4.eq                        | -                | v128 v128 -> v128          | simd                    | 0
FD 38 | i32x4.ne                        | -                | v128 v128 -> v128          | simd                    | 0
FD 39 | i32x4.lt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 3A | i32x4.lt_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 3B | i32x4.gt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 3C | i32x4.gt_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 3D | i32x4.le_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 3E | i32x4.le_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD 3F | i32x4.ge_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 40 | i32x4.ge_u                      | -                | v128 v128 -> v128          | simd                    | 0
FD D6 | i64x2.eq                        | -                | v128 v128 -> v128          | simd                    | 0
FD D7 | i64x2.ne                        | -                | v128 v128 -> v128          | simd                    | 0
FD D8 | i64x2.lt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD D9 | i64x2.gt_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD DA | i64x2.le_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD DB | i64x2.ge_s                      | -                | v128 v128 -> v128          | simd                    | 0
FD 41 | f32x4.eq                        | -                | v128 v128 -> v128          | simd                    | 0
FD 42 | f32x4.ne                        | -                | v128 v128 -> v128          | simd                    | 0
FD 43 | f32x4.lt                        | -                | v128 v128 -> v128          | simd                    | 0
FD 44 | f32x4.gt                        | -                | v128 v128 -> v128          | simd                    | 0
FD 45 | f32x4.le                        | -                | v128 v128 -> v128          | simd                    | 0
FD 46 | f32x4.ge                        | -                | v128 v128 -> v128          | simd                    | 0
FD 47 | f64x2.eq                        | -                | v128 v128 -> v128          | simd                    | 0
FD 48 | f64x2.ne                        | -                | v128 v128 -> v128          | simd                    | 0
FD 49 | f64x2.lt                        | -                | v128 v128 -> v128          | simd                    | 0
FD 4A | f64x2.gt                        | -                | v128 v128 -> v128          | simd                    | 0
FD 4B | f64x2.le                        | -                | v128 v128 -> v128          | simd                    | 0
FD 4C | f64x2.ge                        | -                | v128 v128 -> v128          | simd                    | 0
# Vector instructions: bits
FD 4D | v128.not                        | -                | v128 -> v128               | simd                    | 0
FD 4E | v128.and                        | -                | v128 v128 -> v128          | simd                    | 0
FD 4F | v128.andnot                     | -                | v128 v128 -> v128          | simd                    | 0
FD 50 | v128.or                         | -                | v128 v128 -> v128          | simd                    | 0
FD 51 | v128.xor                        | -                | v128 v128 -> v128          | simd                    | 0
FD 52 | v128.bitselect                  | -                | v128 v128 v128 -> v128     | simd                    | 0
FD 53 | v128.any_true                   | -                | v128 -> i32                | simd                    | 0
# Vector instructions: integers and floats
FD 60 | i8x16.abs                       | -                | v128 -> v128               | simd                    | 0
FD 61 | i8x16.neg                       | -                | v128 -> v128               | simd                    | 0
FD 62 | i8x16.popcnt                    | -                | v128 -> v128               | simd                    | 0
FD 63 | i8x16.all_true                  | -                | v128 -> i32                | simd                    | 0
FD 64 | i8x16.bitmask                   | -                | v128 -> i32                | simd                    | 0
FD 65 | i8x16.narrow_i16x8_s            | -                | v128 v128 -> v128          | simd                    | 0
FD 66 | i8x16.narrow_i16x8_u            | -                | v128 v128 -> v128          | simd                    | 0
FD 67 | f32x4.ceil                      | -                | v128 -> v128               | simd                    | 0
FD 68 | f32x4.floor                     | -                | v128 -> v128               | simd                    | 0
FD 69 | f32x4.trunc                     | -                | v128 -> v128               | simd                    | 0
FD 6A | f32x4.nearest                   | -                | v128 -> v128               | simd                    | 0
FD 6B | i8x16.shl                       | -                | v128 i32 -> v128           | simd                    | 0
FD 6C | i8x16.shr_s                     | -                | v128 i32 -> v128           | simd                    | 0
FD 6D | i8x16.shr_u                     | -                | v128 i32 -> v128           | simd                    | 0
FD 6E | i8x16.add                       | -                | v128 v128 -> v128          | simd                    | 0
FD 6F | i8x16.add_sat_s                 | -                | v128 v128 -> v128          | simd                    | 0
FD 70 | i8x16.add_sat_u                 | -                | v128 v128 -> v128          | simd                    | 0
FD 71 | i8x16.sub                       | -                | v128 v128 -> v128          | simd                    | 0
FD 72 | i8x16.sub_sat_s                 | -                | v128 v128 -> v128          | simd                    | 0
FD 73 | i8x16.sub_sat_u                 | -                | v128 v128 -> v128          | simd                    | 0
FD 74 | f64x2.ceil                      | -                | v128 -> v128               | simd                    | 0
FD 75 | f64x2.floor                     | -                | v128 -> v128               | simd                    | 0
FD 76 | i8x16.min_s                     | -                | v128 v128 -> v128          | simd                    | 0
FD 77 | i8x16.min_u                     | -                | v128 v128 -> v128          | simd                    | 0
FD 78 | i8x16.max_s                     | -                | v128 v128 -> v128          | simd                    | 0
FD 79 | i8x16.max_u                     | -                | v128 v128 -> v128          | simd                    | 0
FD 7A | f64x2.trunc                     | -                | v128 -> v128               | simd                    | 0
FD 7B | i8x16.avgr_u                    | -                | v128 v128 -> v128          | simd                    | 0
FD 7C | i16x8.extadd_pairwise_i8x16_s   | -                | v128 -> v128               | simd                    | 0
FD 7D | i16x8.extadd_pairwise_i8x16_u   | -                | v128 -> v128               | simd                    | 0
FD 7E | i32x4.extadd_pairwise_i16x8_s   | -                | v128 -> v128               | simd                    | 0
FD 7F | i32x4.extadd_pairwise_i16x8_u   | -                | v128 -> v128               | simd                    | 0
FD 80 | i16x8.abs                       | -                | v128 -> v128               | simd                    | 0
FD 81 | i16x8.neg                       | -                | v128 -> v128               | simd                    | 0
FD 82 | i16x8.q15mulr_sat_s             | -                | v128 v128 -> v128          | simd                    | 0
FD 83 | i16x8.all_true                  | -                | v128 -> i32                | simd                    | 0
FD 84 | i16x8.bitmask                   | -                | v128 -> i32                | simd                    | 0
FD 85 | i16x8.narrow_i32x4_s            | -                | v128 v128 -> v128          | simd                    | 0
FD 86 | i16x8.narrow_i32x4_u            | -                | v128 v128 -> v128          | simd                    | 0
FD 87 | i16x8.extend_low_i8x16_s        | -                | v128 -> v128               | simd                    | 0
FD 88 | i16x8.extend_high_i8x16_s       | -                | v128 -> v128               | simd                    | 0
FD 89 | i16x8.extend_low_i8x16_u        | -                | v128 -> v128               | simd                    | 0
FD 8A | i16x8.extend_high_i8x16_u       | -                | v128 -> v128               | simd                    | 0
FD 8B | i16x8.shl                       | -                | v128 i32 -> v128           | simd                    | 0
FD 8C | i16x8.shr_s                     | -                | v128 i32 -> v128           | simd                    | 0
FD 8D | i16x8.shr_u                     | -                | v128 i32 -> v128           | simd                    | 0
FD 8E | i16x8.add                       | -                | v128 v128 -> v128          | simd                    | 0
FD 8F | i16x8.add_sat_s                 | -                | v128 v128 -> v128          | simd                    | 0
FD 90 | i16x8.add_sat_u                 | -                | v128 v128 -> v128          | simd                    | 0
FD 91 | i16x8.sub                       | -                | v128 v128 -> v128          | simd                    | 0
FD 92 | i16x8.sub_sat_s                 | -                | v128 v128 -> v128          | simd                    | 0
FD 93 | i16x8.sub_sat_u                 | -                | v128 v128 -> v128          | simd                    | 0
FD 94 | f64x2.nearest                   | -                | v128 -> v128               | simd                    | 0
FD 95 | i16x8.mul                       | -                | v128 v128 -> v128          | simd                    | 0
FD 96 | i16x8.min_s                     | -                | v128 v128 -> v128          | simd                    | 0
FD 97 | i16x8.min_u                     | -                | v128 v128 -> v128          | simd                    | 0
FD 98 | i16x8.max_s                     | -                | v128 v128 -> v128          | simd                    | 0
FD 99 | i16x8.max_u                     | -                | v128 v128 -> v128          | simd                    | 0
FD 9B | i16x8.avgr_u                    | -                | v128 v128 -> v128          | simd                    | 0
FD 9C | i16x8.extmul_low_i8x16_s        | -                | v128 v128 -> v128          | simd                    | 0
FD 9D | i16x8.extmul_high_i8x16_s       | -                | v128 v128 -> v128          | simd                    | 0
FD 9E | i16x8.extmul_low_i8x16_u        | -                | v128 v128 -> v128          | simd                    | 0
FD 9F | i16x8.extmul_high_i8x16_u       | -                | v128 v128 -> v128          | simd                    | 0
FD A0 | i32x4.abs                       | -                | v128 -> v128               | simd                    | 0
FD A1 | i32x4.neg                       | -                | v128 -> v128               | simd                    | 0
FD A3 | i32x4.all_true                  | -                | v128 -> i32                | simd                    | 0
FD A4 | i32x4.bitmask                   | -                | v128 -> i32                | simd                    | 0
FD A7 | i32x4.extend_low_i16x8_s        | -                | v128 -> v128               | simd                    | 0
FD A8 | i32x4.extend_high_i16x8_s       | -                | v128 -> v128               | simd                    | 0
FD A9 | i32x4.extend_low_i16x8_u        | -                | v128 -> v128               | simd                    | 0
FD AA | i32x4.extend_high_i16x8_u       | -                | v128 -> v128               | simd                    | 0
FD AB | i32x4.shl                       | -                | v128 i32 -> v128           | simd                    | 0
FD AC | i32x4.shr_s                     | -                | v128 i32 -> v128           | simd                    | 0
FD AD | i32x4.shr_u                     | -                | v128 i32 -> v128           | simd                    | 0
FD AE | i32x4.add                       | -                | v128 v128 -> v128          | simd                    | 0
FD B1 | i32x4.sub                       | -                | v128 v128 -> v128          | simd                    | 0
FD B5 | i32x4.mul                       | -                | v128 v128 -> v128          | simd                    | 0
FD B6 | i32x4.min_s                     | -                | v128 v128 -> v128          | simd                    | 0
FD B7 | i32x4.min_u                     | -                | v128 v128 -> v128          | simd                    | 0
FD B8 | i32x4.max_s                     | -                | v128 v128 -> v128          | simd                    | 0
FD B9 | i32x4.max_u                     | -                | v128 v128 -> v128          | simd                    | 0
FD BA | i32x4.dot_i16x8_s               | -                | v128 v128 -> v128          | simd                    | 0
FD BC | i32x4.extmul_low_i16x8_s        | -                | v128 v128 -> v128          | simd                    | 0
FD BD | i32x4.extmul_high_i16x8_s       | -                | v128 v128 -> v128          | simd                    | 0
FD BE | i32x4.extmul_low_i16x8_u        | -                | v128 v128 -> v128          | simd                    | 0
FD BF | i32x4.extmul_high_i16x8_u       | -                | v128 v128 -> v128          | simd                    | 0
FD C0 | i64x2.abs                       | -                | v128 -> v128               | simd                    | 0
FD C1 | i64x2.neg                       | -                | v128 -> v128               | simd                    | 0
FD C3 | i64x2.all_true                  | -                | v128 -> i32                | simd                    | 0
FD C4 | i64x2.bitmask                   | -                | v128 -> i32                | simd                    | 0
FD C7 | i64x2.extend_low_i32x4_s        | -                | v128 -> v128               | simd                    | 0
FD C8 | i64x2.extend_high_i32x4_s       | -                | v128 -> v128               | simd                    | 0
FD C9 | i64x2.extend_low_i32x4_u        | -                | v128 -> v128               | simd                    | 0
FD CA | i64x2.extend_high_i32x4_u       | -                | v128 -> v128               | simd                    | 0
FD CB | i64x2.shl                       | -                | v128 i32 -> v128           | simd                    | 0
FD CC | i64x2.shr_s                     | -                | v128 i32 -> v128           | simd                    | 0
FD CD | i64x2.shr_u                     | -                | v128 i32 -> v128           | simd                    | 0
FD CE | i64x2.add                       | -                | v128 v128 -> v128          | simd                    | 0
FD D1 | i64x2.sub                       | -                | v128 v128 -> v128          | simd                    | 0
FD D5 | i64x2.mul                       | -                | v128 v128 -> v128          | simd                    | 0
FD DC | i64x2.extmul_low_i32x4_s        | -                | v128 v128 -> v128          | simd                    | 0
FD DD | i64x2.extmul_high_i32x4_s       | -                | v128 v128 -> v128          | simd                    | 0
FD DE | i64x2.extmul_low_i32x4_u        | -                | v128 v128 -> v128          | simd                    | 0
FD DF | i64x2.extmul_high_i32x4_u       | -                | v128 v128 -> v128          | simd                    | 0
FD E0 | f32x4.abs                       | -                | v128 -> v128               | simd                    | 0
FD E1 | f32x4.neg                       | -                | v128 -> v128               | simd                    | 0
FD E3 | f32x4.sqrt                      | -                | v128 -> v128               | simd                    | 0
FD E4 | f32x4.add                       | -                | v128 v128 -> v128          | simd                    | 0
FD E5 | f32x4.sub                       | -                | v128 v128 -> v128          | simd                    | 0
FD E6 | f32x4.mul                       | -                | v128 v128 -> v128          | simd                    | 0
FD E7 | f32x4.div                       | -                | v128 v128 -> v128          | simd                    | 0
FD E8 | f32x4.min                       | -                | v128 v128 -> v128          | simd                    | 0
FD E9 | f32x4.max                       | -                | v128 v128 -> v128          | simd                    | 0
FD EA | f32x4.pmin                      | -                | v128 v128 -> v128          | simd                    | 0
FD EB | f32x4.pmax                      | -                | v128 v128 -> v128          | simd                    | 0
FD EC | f64x2.abs                       | -                | v128 -> v128               | simd                    | 0
FD ED | f64x2.neg                       | -                | v128 -> v128               | simd                    | 0
FD EF | f64x2.sqrt                      | -                | v128 -> v128               | simd                    | 0
FD F0 | f64x2.add                       | -                | v128 v128 -> v128          | simd                    | 0
FD F1 | f64x2.sub                       | -                | v128 v128 -> v128          | simd                    | 0
FD F2 | f64x2.mul                       | -                | v128 v128 -> v128          | simd                    | 0
FD F3 | f64x2.div                       | -                | v128 v128 -> v128          | simd                    | 0
FD F4 | f64x2.min                       | -                | v128 v128 -> v128          | simd                    | 0
FD F5 | f64x2.max                       | -                | v128 v128 -> v128          | simd                    | 0
FD F6 | f64x2.pmin                      | -                | v128 v128 -> v128          | simd                    | 0
FD F7 | f64x2.pmax                      | -                | v128 v128 -> v128          | simd                    | 0
# Vector instructions: conversions
FD 5E | f32x4.demote_f64x2_zero         | -                | v128 -> v128               | simd                    | 0
FD 5F | f64x2.promote_low_f32x4         | -                | v128 -> v128               | simd                    | 0
FD F8 | i32x4.trunc_sat_f32x4_s         | -                | v128 -> v128               | simd                    | 0
FD F9 | i32x4.trunc_sat_f32x4_u         | -                | v128 -> v128               | simd                    | 0
FD FA | f32x4.convert_i32x4_s           | -                | v128 -> v128               | simd                    | 0
FD FB | f32x4.convert_i32x4_u           | -                | v128 -> v128               | simd                    | 0
FD FC | i32x4.trunc_sat_f64x2_s_zero    | -                | v128 -> v128               | simd                    | 0
FD FD | i32x4.trunc_sat_f64x2_u_zero    | -                | v128 -> v128               | simd                    | 0
FD FE | f64x2.convert_low_i32x4_s       | -                | v128 -> v128               | simd                    | 0
FD FF | f64x2.convert_low_i32x4_u       | -                | v128 -> v128               | simd                    | 0
# Vector instructions: relaxed
FD 100| i8x16.relaxed_swizzle           | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 101| i32x4.relaxed_trunc_f32x4_s     | -                | v128 -> v128               | relaxed-simd            | 0
FD 102| i32x4.relaxed_trunc_f32x4_u     | -                | v128 -> v128               | relaxed-simd            | 0
FD 103| i32x4.relaxed_trunc_f64x2_s_zero| -                | v128 -> v128               | relaxed-simd            | 0
FD 104| i32x4.relaxed_trunc_f64x2_u_zero| -                | v128 -> v128               | relaxed-simd            | 0
FD 105| f32x4.relaxed_madd              | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 106| f32x4.relaxed_nmadd             | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 107| f64x2.relaxed_madd              | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 108| f64x2.relaxed_nmadd             | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 109| i8x16.relaxed_laneselect        | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 10A| i16x8.relaxed_laneselect        | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 10B| i32x4.relaxed_laneselect        | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 10C| i64x2.relaxed_laneselect        | -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
FD 10D| f32x4.relaxed_min               | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 10E| f32x4.relaxed_max               | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 10F| f64x2.relaxed_min               | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 110| f64x2.relaxed_max               | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 111| i16x8.relaxed_q15mulr_s         | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 112| i16x8.relaxed_dot_i8x16_i7x16_s | -                | v128 v128 -> v128          | relaxed-simd            | 0
FD 113| i32x4.relaxed_dot_i8x16_i7x16_add_s| -                | v128 v128 v128 -> v128     | relaxed-simd            | 0
# Atomic instructions
FE 00 | memory.atomic.notify            | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 01 | memory.atomic.wait32            | memarg:4         | addr i32 i64 -> i32        | threads                 | 0
FE 02 | memory.atomic.wait64            | memarg:8         | addr i64 i64 -> i32        | threads                 | 0
FE 03 | atomic.fence                    | zero             | ->                         | threads                 | 0
FE 10 | i32.atomic.load                 | memarg:4         | addr -> i32                | threads                 | 0
FE 11 | i64.atomic.load                 | memarg:8         | addr -> i64                | threads                 | 0
FE 12 | i32.atomic.load8_u              | memarg:1         | addr -> i32                | threads                 | 0
FE 13 | i32.atomic.load16_u             | memarg:2         | addr -> i32                | threads                 | 0
FE 14 | i64.atomic.load8_u              | memarg:1         | addr -> i64                | threads                 | 0
FE 15 | i64.atomic.load16_u             | memarg:2         | addr -> i64                | threads                 | 0
FE 16 | i64.atomic.load32_u             | memarg:4         | addr -> i64                | threads                 | 0
FE 17 | i32.atomic.store                | memarg:4         | addr i32 ->                | threads                 | 0
FE 18 | i64.atomic.store                | memarg:8         | addr i64 ->                | threads                 | 0
FE 19 | i32.atomic.store8               | memarg:1         | addr i32 ->                | threads                 | 0
FE 1A | i32.atomic.store16              | memarg:2         | addr i32 ->                | threads                 | 0
FE 1B | i64.atomic.store8               | memarg:1         | addr i64 ->                | threads                 | 0
FE 1C | i64.atomic.store16              | memarg:2         | addr i64 ->                | threads                 | 0
FE 1D | i64.atomic.store32              | memarg:4         | addr i64 ->                | threads                 | 0
FE 1E | i32.atomic.rmw.add              | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 1F | i64.atomic.rmw.add              | memarg:8         | addr i64 -> i64            | threads                 | 0
FE 20 | i32.atomic.rmw8.add_u           | memarg:1         | addr i32 -> i32            | threads                 | 0
FE 21 | i32.atomic.rmw16.add_u          | memarg:2         | addr i32 -> i32            | threads                 | 0
FE 22 | i64.atomic.rmw8.add_u           | memarg:1         | addr i64 -> i64            | threads                 | 0
FE 23 | i64.atomic.rmw16.add_u          | memarg:2         | addr i64 -> i64            | threads                 | 0
FE 24 | i64.atomic.rmw32.add_u          | memarg:4         | addr i64 -> i64            | threads                 | 0
FE 25 | i32.atomic.rmw.sub              | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 26 | i64.atomic.rmw.sub              | memarg:8         | addr i64 -> i64            | threads                 | 0
FE 27 | i32.atomic.rmw8.sub_u           | memarg:1         | addr i32 -> i32            | threads                 | 0
FE 28 | i32.atomic.rmw16.sub_u          | memarg:2         | addr i32 -> i32            | threads                 | 0
FE 29 | i64.atomic.rmw8.sub_u           | memarg:1         | addr i64 -> i64            | threads                 | 0
FE 2A | i64.atomic.rmw16.sub_u          | memarg:2         | addr i64 -> i64            | threads                 | 0
FE 2B | i64.atomic.rmw32.sub_u          | memarg:4         | addr i64 -> i64            | threads                 | 0
FE 2C | i32.atomic.rmw.and              | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 2D | i64.atomic.rmw.and              | memarg:8         | addr i64 -> i64            | threads                 | 0
FE 2E | i32.atomic.rmw8.and_u           | memarg:1         | addr i32 -> i32            | threads                 | 0
FE 2F | i32.atomic.rmw16.and_u          | memarg:2         | addr i32 -> i32            | threads                 | 0
FE 30 | i64.atomic.rmw8.and_u           | memarg:1         | addr i64 -> i64            | threads                 | 0
FE 31 | i64.atomic.rmw16.and_u          | memarg:2         | addr i64 -> i64            | threads                 | 0
FE 32 | i64.atomic.rmw32.and_u          | memarg:4         | addr i64 -> i64            | threads                 | 0
FE 33 | i32.atomic.rmw.or               | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 34 | i64.atomic.rmw.or               | memarg:8         | addr i64 -> i64            | threads                 | 0
FE 35 | i32.atomic.rmw8.or_u            | memarg:1         | addr i32 -> i32            | threads                 | 0
FE 36 | i32.atomic.rmw16.or_u           | memarg:2         | addr i32 -> i32            | threads                 | 0
FE 37 | i64.atomic.rmw8.or_u            | memarg:1         | addr i64 -> i64            | threads                 | 0
FE 38 | i64.atomic.rmw16.or_u           | memarg:2         | addr i64 -> i64            | threads                 | 0
FE 39 | i64.atomic.rmw32.or_u           | memarg:4         | addr i64 -> i64            | threads                 | 0
FE 3A | i32.atomic.rmw.xor              | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 3B | i64.atomic.rmw.xor              | memarg:8         | addr i64 -> i64            | threads                 | 0
FE 3C | i32.atomic.rmw8.xor_u           | memarg:1         | addr i32 -> i32            | threads                 | 0
FE 3D | i32.atomic.rmw16.xor_u          | memarg:2         | addr i32 -> i32            | threads                 | 0
FE 3E | i64.atomic.rmw8.xor_u           | memarg:1         | addr i64 -> i64            | threads                 | 0
FE 3F | i64.atomic.rmw16.xor_u          | memarg:2         | addr i64 -> i64            | threads                 | 0
FE 40 | i64.atomic.rmw32.xor_u          | memarg:4         | addr i64 -> i64            | threads                 | 0
FE 41 | i32.atomic.rmw.xchg             | memarg:4         | addr i32 -> i32            | threads                 | 0
FE 42 | i64.atomic.rmw.xchg             | memarg:8         | addr i64 -> i64            | threads                 | 0
FE 43 | i32.atomic.rmw8.xchg_u          | memarg:1         | addr i32 -> i32            | threads                 | 0
FE 44 | i32.atomic.rmw16.xchg_u         | memarg:2         | addr i32 -> i32            | threads                 | 0
FE 45 | i64.atomic.rmw8.xchg_u          | memarg:1         | addr i64 -> i64            | threads                 | 0
FE 46 | i64.atomic.rmw16.xchg_u         | memarg:2         | addr i64 -> i64            | threads                 | 0
FE 47 | i64.atomic.rmw32.xchg_u         | memarg:4         | addr i64 -> i64            | threads                 | 0
FE 48 | i32.atomic.rmw.cmpxchg          | memarg:4         | addr i32 i32 -> i32        | threads                 | 0
FE 49 | i64.atomic.rmw.cmpxchg          | memarg:8         | addr i64 i64 -> i64        | threads                 | 0
FE 4A | i32.atomic.rmw8.cmpxchg_u       | memarg:1         | addr i32 i32 -> i32        | threads                 | 0
FE 4B | i32.atomic.rmw16.cmpxchg_u      | memarg:2         | addr i32 i32 -> i32        | threads                 | 0
FE 4C | i64.atomic.rmw8.cmpxchg_u       | memarg:1         | addr i64 i64 -> i64        | threads                 | 0
FE 4D | i64.atomic.rmw16.cmpxchg_u      | memarg:2         | addr i64 i64 -> i64        | threads                 | 0
FE 4E | i64.atomic.rmw32.cmpxchg_u      | memarg:4         | addr i64 i64 -> i64        | threads                 | 0
"""
