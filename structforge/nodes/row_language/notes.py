"""What the functions of row expressions do, in English and Chinese: the one table behind docs and completion.

Invariant: a test holds it to the functions that exist. Names, arguments and meanings are those of `{{ }}`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowNote:
    """One function, or several that differ in their name only."""

    names: tuple[str, ...]
    arguments: str
    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class Family:
    """Functions that belong together."""

    english: str
    chinese: str
    notes: tuple[RowNote, ...]


def _note(names: str, arguments: str, english: str, chinese: str) -> RowNote:
    return RowNote(tuple(names.split()), arguments, english, chinese)


FAMILIES: tuple[Family, ...] = (
    Family(
        "Texts",
        "文本",
        (
            _note("upper lower title capitalize", "text", "letters in another case", "改变字母大小写"),
            _note(
                "trim",
                "text, characters",
                "without blanks, or these characters, at its ends",
                "去掉两端的空白或指定字符",
            ),
            _note(
                "length count",
                "x",
                "characters of a text, items of a list, fields of an object",
                "文本的字符数、列表的项数、对象的字段数",
            ),
            _note(
                "substring",
                "text, start, length",
                "part of a text; positions from 0, negative from the end",
                "文本的一部分；位置从 0 开始，负数从末尾算起",
            ),
            _note(
                "split_part",
                "text, separator, index",
                "one part of a split text; null when there are not so many",
                "按分隔符拆分后的一段；没有那么多段时为空值",
            ),
            _note("split", "text, separator", "all parts as a list", "所有分段，作为列表"),
            _note("replace", "text, old, new", "every `old` replaced", "替换所有 `old`"),
            _note("matches", "text, pattern", "whether a pattern is found", "是否匹配正则表达式"),
            _note(
                "extract",
                "text, pattern, group",
                "what a pattern found first; null when nothing",
                "正则表达式首次匹配的内容；没有时为空值",
            ),
            _note(
                "replace_pattern",
                "text, pattern, replacement",
                "every find replaced; `$1` is a group",
                "替换所有匹配；`$1` 为分组",
            ),
            _note(
                "contains",
                "x, part",
                "whether a text has the part, a list the item; null has nothing",
                "文本是否包含该部分、列表是否包含该项；空值不包含任何内容",
            ),
            _note("starts_with ends_with startswith endswith", "text, part", "true or false", "真或假"),
            _note("ljust rjust center", "text, width, fill", "filled up to a width", "填充到指定宽度"),
            _note("zfill", "text, width", "zeros before digits", "在数字前补零"),
            _note("truncate", "text, length, end", "at most so many characters", "最多保留这么多字符"),
            _note("indent", "text, width", "every line but the first moved to the right", "除首行外每行缩进"),
            _note("reverse", "x", "a text or list from its end", "倒序的文本或列表"),
        ),
    ),
    Family(
        "Numbers",
        "数字",
        (
            _note(
                "round",
                "n, digits, method",
                "half away from zero on the digits as written; `'floor'` and `'ceil'` as method",
                "按书写的数字四舍五入；方法可为 `'floor'` 或 `'ceil'`",
            ),
            _note(
                "floor ceil",
                "n, digits",
                "rounded down or up; without digits an integer",
                "向下或向上取整；不给位数时得整数",
            ),
            _note(
                "abs sqrt log exp",
                "n",
                "size, root, natural logarithm, power of e",
                "绝对值、平方根、自然对数、e 的幂",
            ),
            _note(
                "min max",
                "a, b, …",
                "the smallest or largest of the row's values; nulls are left out",
                "本行各值中的最小或最大值；忽略空值",
            ),
            _note("sum mean", "list", "of a list", "列表的合计与平均"),
            _note(
                "integer int number float decimal",
                "x, default",
                "a text as a number; an error that names the row, or the default, when it is none",
                "把文本读作数字；不是数字时报错并指出行号，或取默认值",
            ),
            _note("fixed", "n, digits", "a text with exactly so many decimals", "恰好这么多位小数的文本"),
            _note(
                "thousands",
                "n, digits, separator, decimal_sign",
                "a text in groups of three",
                "千位分组的文本",
            ),
            _note(
                "format_number",
                "n, format, digits",
                "a text by a language (`'de'`) or a pattern (`'#,##0.00'`)",
                "按语言（`'de'`）或格式（`'#,##0.00'`）书写的文本",
            ),
        ),
    ),
    Family(
        "Empty cells and choices",
        "空单元格与选择",
        (
            _note("coalesce", "a, b, …", "the first that is not null", "第一个非空值"),
            _note(
                "default d",
                "x, y, replace_empty",
                "y where x is null; with `true` also where it is empty",
                "x 为空值时取 y；给 `true` 时空文本等也替换",
            ),
            _note(
                "is_empty", "x", 'whether it is null, `""`, `[]` or `{}`', '是否为空值、`""`、`[]` 或 `{}`'
            ),
            _note(
                "case",
                "test, value, test, value, …, otherwise",
                "the value of the first true test; only that one is computed",
                "第一个为真的条件对应的值；只计算该值",
            ),
        ),
    ),
    Family(
        "Dates",
        "日期",
        (
            _note(
                "year quarter month week day weekday day_of_year hour minute second",
                "date",
                "that part as written; Monday is 1",
                "书写的该部分；星期一为 1",
            ),
            _note("date", "x, pattern", "the day", "日期部分"),
            _note("year_month", "date", "`2024-03`", "`2024-03`"),
            _note(
                "parse_date",
                "text, pattern",
                "ISO text of a date in another spelling: `parse_date(x, '%d.%m.%Y')`",
                "把其他写法读成 ISO 文本：`parse_date(x, '%d.%m.%Y')`",
            ),
            _note("format_date", "date, pattern", "written by a pattern", "按格式书写"),
            _note(
                "add_years add_months add_weeks add_days add_hours add_minutes add_seconds",
                "date, n",
                "moved by n, negative too",
                "移动 n 个单位，可为负",
            ),
            _note(
                "days_between hours_between minutes_between seconds_between",
                "start, end",
                "from start to end; an integer of days between two days",
                "从开始到结束；两个日期之间的天数为整数",
            ),
            _note(
                "to_zone",
                "date, zone",
                "the same instant in a zone: `to_zone(x, 'Europe/Berlin')`",
                "同一时刻在某时区的写法：`to_zone(x, 'Europe/Berlin')`",
            ),
            _note(
                "in_zone",
                "date, zone",
                "a time without offset with that of a zone",
                "给没有偏移的时间加上时区的偏移",
            ),
            _note("to_unix from_unix", "x", "seconds since 1970 and back", "1970 年以来的秒数及其逆转换"),
        ),
    ),
    Family(
        "Lists and objects",
        "列表与对象",
        (
            _note("get", "object, key, default", "a field", "取字段"),
            _note("keys values items", "object", "names, values, pairs", "字段名、值、键值对"),
            _note("first last", "list", "an item, null when there is none", "首项或末项，没有时为空值"),
            _note("join", "list, separator", "the items as one text", "把各项连接成文本"),
            _note(
                "sort unique flatten", "list", "ordered, each once, one level less", "排序、去重、展开一层"
            ),
            _note("append", "list, item", "with one more item", "追加一项"),
            _note("merge", "object, other", "fields of both", "合并字段"),
            _note("map select reject", "list, …", "each item changed or chosen", "逐项转换或筛选"),
            _note(
                "selectattr rejectattr", "list, field, test, value", "items chosen by a field", "按字段筛选"
            ),
            _note("group_by", "list, field", "an object for each value of a field", "按字段分组"),
            _note("columns", "list", "field names of a list of objects", "对象列表的字段名"),
            _note("batch range", "…", "lists in groups; numbers in a row", "分批；数字序列"),
        ),
    ),
    Family(
        "Other",
        "其他",
        (
            _note(
                "text string",
                "x",
                "as text: numbers as JSON writes them, `true`, lists and objects as JSON",
                "作为文本：数字按 JSON 书写，`true`，列表与对象为 JSON",
            ),
            _note("bool", "x", "true or false", "真或假"),
            _note("tojson fromjson", "x", "JSON text and back", "JSON 文本及其逆转换"),
            _note("hash", "text, algorithm", "fingerprint in hexadecimal digits", "十六进制的哈希值"),
            _note(
                "base64_encode base64_decode base64url_encode base64url_decode urlencode",
                "text",
                "encodings",
                "编码与解码",
            ),
        ),
    ),
)
"""Every function of row expressions."""


def documentation(*, chinese: bool = False) -> str:
    """Return the tables of functions in Markdown."""
    lines = []
    for family in FAMILIES:
        heads = "| 函数 | 结果 |" if chinese else "| function | gives |"
        lines += [f"## {family.chinese if chinese else family.english}", "", heads, "| --- | --- |"]
        for note in family.notes:
            calls = ", ".join(f"`{name}({note.arguments})`" for name in note.names)
            lines.append(f"| {calls} | {note.chinese if chinese else note.english} |")
        lines.append("")
    return "\n".join(lines)


_ENGLISH = """\
# Row expressions

A row expression is a condition or a value over the columns of one row: the language of `{{ }}` without the braces, as
in `price * 1.2 if qty > 10 else price`. For each row it gives what the `{{ }}` language gives on that row's values
([values](../values.md)); it is computed for whole columns.

- **Columns** are named as they are; other names are written `row["unit price"]`. `customer.name`, `row.customer.name`
  and `tags[0]` look into objects and lists; what is not there is null.
- **Operators**: `+ - * / // % **` compute, `~` joins texts, `== != < <= > >= in not in` compare, `and or not` combine,
  `a if test else b` chooses. Filters (`city | upper`) and tests (`qty is none`) work as well.
- **Null** stays null: where the `{{ }}` language would stop because a value is null, the cell is empty. `city == none`
  asks for it, `coalesce(qty, 0)` fills it; `~` and `text(x)` take it as an empty text. `<`, `>` and `in` are false
  where a side is null, and a condition that is null is not true. As a missing field is null in tables,
  `x is defined` is false for null.
- **Numbers** never change on the way: integers do not wrap around, a literal such as `0.1` is an exact decimal, and
  numbers compare by exact value. A result of more than 38 digits is an error that names the row.
- **Guards protect**: `a / b if b else 0`, `b and a / b`, `case(...)`, `coalesce(...)` and `default(...)` compute a
  branch only for the rows that take it. Branches of different kinds of numbers give numbers; with a text among them
  the column is text, whichever rows take it.
- **Dates** are ISO 8601 texts, so days compare correctly with `<`. Moments with different offsets do not:
  compare `to_zone(x, 'UTC')`, or `seconds_between(a, b) > 0`.
- **An error** names the row (from 1) and the place in the expression.

"""

_CHINESE = """\
# 行表达式

行表达式是针对一行各列的条件或取值：即不带花括号的 `{{ }}` 语言，例如 `price * 1.2 if qty > 10 else price`。
对每一行，它给出的结果与 `{{ }}` 语言在该行的值上给出的结果相同（见[值](../values.zh.md)）；按整列计算。

- **列**按原名书写；其他名称写作 `row["unit price"]`。`customer.name`、`row.customer.name` 和 `tags[0]`
  取对象与列表中的内容；不存在的为空值。
- **运算符**：`+ - * / // % **` 计算，`~` 连接文本，`== != < <= > >= in not in` 比较，`and or not` 组合，
  `a if test else b` 选择。过滤器（`city | upper`）和测试（`qty is none`）也可使用。
- **空值**保持为空：`{{ }}` 语言因空值而停止之处，单元格为空。`city == none` 判断空值，`coalesce(qty, 0)` 填补；
  `~` 与 `text(x)` 把它当作空文本。一侧为空值时
  `<`、`>` 和 `in` 为假；为空的条件不算真。表格中缺失的字段就是空值，因此 `x is defined` 对空值为假。
- **数字**不会在途中改变：整数不会溢出回绕，`0.1` 这样的字面量是精确小数，数字按精确值比较。结果超过 38 位是错误，
  并指出行号。
- **条件保护**：`a / b if b else 0`、`b and a / b`、`case(...)`、`coalesce(...)` 和 `default(...)`
  只为进入该分支的行计算。不同种类的数字分支得到数字；其中有文本时该列为文本，与哪些行进入分支无关。
- **日期**是 ISO 8601 文本，因此日期可用 `<` 正确比较。偏移不同的时刻则不行：请比较 `to_zone(x, 'UTC')`，
  或用 `seconds_between(a, b) > 0`。
- **错误**会指出行号（从 1 开始）和表达式中的位置。

"""


def page(*, chinese: bool = False) -> str:
    """Return the page about row expressions in Markdown."""
    return (_CHINESE if chinese else _ENGLISH) + documentation(chinese=chinese)
