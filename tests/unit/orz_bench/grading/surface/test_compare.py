"""Rules that compare what two answers contain, a line for each and for its opposite; mathematics by Math-Verify.

In this process: what is written here neither hangs nor needs much memory. Whole answers are in tests/corpora.
"""

from __future__ import annotations

import pytest

from orz_bench.grading.jobs import Job
from orz_bench.grading.math.judge import judge

PAIRS = r"""
[chains]
5 | \frac13 = 5 | wrong
\frac13 | \frac26 = \frac13 | right
0.33 | \frac13 \approx 0.33 | right
0.5 | \frac13 \approx 0.5 | wrong
\frac13 | \frac13 \approx 0.33 | right
\frac13 | \frac13 \approx 0.5 | right
\frac13 \approx 0.33 | 0.33 | right
\frac13 \approx 0.33 | \frac13 | right
\frac13 \approx 0.33 | 0.34 | wrong
99.9 | 99.9 \approx 100 | right
100 | 98 \approx 100 | wrong
\frac{1000}{3} | \frac{1000}{3} \approx 333.3 | right
333.3 | \frac{1000}{3} \approx 333.3 | right
333 | \frac{1000}{3} \approx 333 | right
330 | \frac{1000}{3} \approx 330 | right
329 | \frac{1000}{3} \approx 329 | wrong
(1, 2) | (1, 2) = (2, 1) | wrong
5 | 5 = x + 1 | wrong

[names]
(3,4) | P(3,4) | right
(3,4) | P(4,3) | wrong
(3,4) | 5 | wrong
x = 1, 2 | 1, 2 | right
x = 1, 2 | 2, 1 | right
m + n = 7 | 7 | wrong
m + n = 7 | m + n = 7 | right
m + n = 7 | n + m = 7 | right
m + n = (1,2) | (1,2) | wrong
x = 7 | 7 | right
x = 7 | y = 7 | wrong
7 | x = 7 | right
7 | m + n = 7 | right
f(x) = 2x | y = 2x | right
y = 2x | f(x) = 2x | right
f(x) = 2x | g(x) = 2x | wrong
f(x) = 2x | y = 3x | wrong
\text{Area} = 7 | A = 7 | right
\text{Area} = 7 | \text{Perimeter} = 7 | right
y = 2x | z = 2x | wrong
h(t) = 2t | y = 2t | right
y = 2t | h(t) = 2t | right
xy = 5 | z = 5 | wrong
a + b = 7 | c = 7 | wrong
x = 5 \text{ apples} | y = 5 \text{ apples} | wrong
x = (1, 2) | (1, 2) | right

[relations and sets]
x > 3 | 3 < x | right
x > 3 | 3 > x | wrong
x > 3 | (3, \infty) | right
x > 3 | [3, \infty) | wrong
(3, \infty) | x > 3 | right
x > 3 | 4 | wrong
4 | x > 3 | wrong
x \in [1,5) | [1,5) | right
[1,5) | x \in [1,5) | right
x \in [1,5) | x \in [1,5] | wrong
x \in [1,5) | 1 \le x < 5 | right
2x + 3y = 5 | 4x + 6y = 10 | right
2x + 3y = 5 | 4x + 6y = 11 | wrong
5 | 2x + 3y = 5 | wrong
2x + 3y = 5 | 5 | wrong
\{1\} \cup \{2\} | \{1, 3\} | wrong
1, 2 | 1 \cup 2 | wrong
\mathbb{R} | (-\infty, \infty) | right
(-\infty, \infty) | \mathbb{R} | right
(-\infty, 0) \cup (0, \infty) | \mathbb{R} \setminus \{0\} | right
x \in \{1, 2\} | x = 1, 2 | right
x \in \{1, 2\} | 1, 2 | right
x \in \{1, 2\} | \{1, 2, 3\} | wrong
\{1, 2\} | x \in \{1, 2\} | right
x \in [1, 5) | 1 | wrong
x > 3 | x = 3 | wrong
x > 3 | x > 3 \text{ apples} | wrong
x > 3 | y > 3 | right
x \ne 3 | (-\infty, 3) \cup (3, \infty) | right
x \le 3 \text{ or } x \ge 5 | (-\infty, 3] \cup [5, \infty) | right
x \le 3 \text{ or } x \ge 5 | (-\infty, 3] \cup [6, \infty) | wrong
x \ge 1 | 1 \le x | right
x^2 = 4 | x = 2, -2 | wrong
x = 2, -2 | x^2 = 4 | wrong
x < 1, x > 3 | x < 1 | wrong
(1, 3) | x > 1, x < 3 | wrong
[1, 2] | [1, 2) | wrong
[1, 2] | [2, 1] | wrong
(1, 2] | (1, 3] | wrong

[vectors and matrices]
(2, 4) | 2\begin{pmatrix} 1 \\ 2 \end{pmatrix} | right
2\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 2 \\ 4 \end{pmatrix} | right
\begin{pmatrix} 2 & 4 \end{pmatrix} | 2\begin{pmatrix} 1 & 2 \end{pmatrix} | right
\begin{pmatrix} 2 & 4 \end{pmatrix} | 2\begin{pmatrix} 1 \\ 2 \end{pmatrix} | wrong
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | ((1,2),(3,4)) | right
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | [[1,2],[3,4]] | right
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | (1,2,3,4) | wrong
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | (1, 2) | right
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | [1, 2] | wrong
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 1 & 2 \end{pmatrix} | wrong
(1, 2, 3) | [1, 2, 3] | right
(1, 2) | [1, 2] | wrong
(1, 2) | (1, 2, 3) | wrong
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 2 \\ 1 \end{pmatrix} | wrong
\begin{bmatrix} 1 \\ 2 \end{bmatrix} | \begin{pmatrix} 1 \\ 2 \end{pmatrix} | right
\begin{pmatrix} 1 & 2 \end{pmatrix} | (1, 2) | right
\begin{pmatrix} 1 & 2 \end{pmatrix} | (1, 3) | wrong
\begin{pmatrix} 1 \\ 2 \\ 3 \end{pmatrix} | [1, 2, 3] | right
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | [[1,2],[3,5]] | wrong
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | ((1,2),(3,5)) | wrong
(2, 4) | 3\begin{pmatrix} 1 \\ 2 \end{pmatrix} | wrong
\{2, 4\} | 2\begin{pmatrix} 1 \\ 2 \end{pmatrix} | wrong

[lists]
1, 2 | (1, 2) | right
1, 2 | (2, 1) | wrong
\{1, 2\} | 2, 1 | right
\{1, 2\} | 2, 1, 1 | wrong
\{1, 2\} | \{2, 1, 1\} | right
1, 1, 2 | 1, 2, 2 | wrong
1, 2 | 1, 2, 3 | wrong
x = 1, y = 2 | y = 2, x = 1 | right
x = 1, y = 2 | x = 2, y = 1 | wrong
x = 1, y = 2 | 1, 2 | right
x = 1, y = 2 | 2, 1 | wrong
(x, y) = (1, 2) | (1, 2) | right
x < 1 \text{ or } x > 3 | (-\infty, 1) \cup (3, \infty) | right
x < 1, x > 3 | (-\infty, 1), (3, \infty) | right
[1, 2], [3, 4] | [3, 4], [1, 2] | right
[1, 2], [3, 4] | [1, 2], [3, 5] | wrong
(1, 2), (3, 4) | (3, 4), (1, 2) | right
\{(1, 2), (3, 4)\} | (3, 4), (1, 2) | right
1, 2, 3 | (1, 2, 3) | right
(1, 2, 3) | 1, 2, 3 | right
\{1, 2\} | (1, 2) | wrong
x = 1, y = 2 | x = 1, y = 2, z = 3 | wrong
x = 1, 2 | y = 1, 2 | wrong
(x, y) = (1, 2) | (y, x) = (1, 2) | wrong
(x = 1, y = 2) | (y = 2, x = 1) | wrong
1, 2 | 1, x = 2 | right
1, 1 | 1 | wrong
1 | 1, 1 | wrong
1, 1, 2 | 1, 2, 1 | right
1, 1 + 1 | 2, 1 | right
1, 2, 2 | 1 + 1, 2, 1 | right

[ratios, times and dates]
1 : 2 | 2 : 4 | right
1 : 2 | 2 : 1 | wrong
1 : 2 : 3 | 2 : 4 : 6 | right
1 : 2 : 3 | 2 : 4 : 7 | wrong
1 : 2 : 3 | 1 : 2 | wrong
1 : 2 | \frac12 | right
\frac12 | 1 : 2 | right
\frac12 | 2 : 1 | wrong
1 : 2 | 0.5 \text{ cm} | wrong
3{:}00 | 3:00 | right
3:00 \text{ pm} | 3:00 | right
3:00 \text{ pm} | 3:00 \text{ am} | wrong
3:00 | 6:00 | wrong
3:05 | 3:50 | wrong
4:30 | 4\frac12 | wrong
\text{March } 5 | \text{5 March} | right
\text{March } 5 | \text{April } 5 | wrong
\text{March } 5 | \text{March } 6 | wrong
24:20 | 12:10 | wrong
25:20 | 15:12 | right
10:60 | 05:30 | right
05:30 | 11:66 | right
5:5 | 1:1 | right
12:30:15 | 4:10:5 | right
3:00 \text{ pm} | 3:00 \text{ pm} | right
3:00 \text{ pm} | \frac{3}{1} | wrong
1 : 2 \text{ pm} | 2 : 4 | wrong
3 | 1 : 2 : 3 | wrong
1 : 2 | 1 \text{ apple} | wrong
1 : 2 | (1, 2) | wrong
\text{July } 4 | \text{4th of July} | right
\text{July } 4, 1776 | \text{July } 4 | wrong
\text{July } 4 | 4 | wrong

[units]
5 | 5 \text{ cm} | right
5 \text{ cm} | 5 | right
5 \text{ cm} | 5 \text{ m} | wrong
5 \text{ cm} | 50 \text{ mm} | right
5 \text{ cm} | 5 \text{ kg} | wrong
5 \text{ cm} | 0.05 \text{ m} | right
5 \text{ m} | 5m | right
5 \text{ m} | 6m | wrong
5 | 5 \text{ apples} | right
5 \text{ apples} | 5 \text{ apples} | right
5 \text{ apples} | 5 \text{ pears} | wrong
5 | 5 \text{ blurgs} | wrong
5 \text{ blurgs} | 5 | right
25 \text{ square units} | 25 \text{ cm}^2 | right
25 \text{ square units} | 25 \text{ cm} | wrong
25 \text{ cm}^2 | 25 \text{ square units} | right
25 \text{ units} | 25 \text{ cm} | right
25 \text{ units} | 25 \text{ cm}^2 | wrong
25 \text{ cubic units} | 25 \text{ cm}^3 | right
25 \text{ units} | 25 \text{ km/h} | wrong
2\pi \text{ cm} | 2\pi cm | right
\frac{1}{2} \text{ m} | \frac{1}{2} m | right
5 \text{ m} | m | wrong
5 \text{ cm} | 5m | wrong
5 \text{ apples} | 5 \text{ apple} | right
5 \text{ apples} | 6 \text{ apples} | wrong
5 \text{ apples} | 5 \text{ cm} | wrong
5 \text{ cm} | 5 \text{ apples} | wrong
5 \text{ units} | 5 \text{ apples} | right
5 \text{ apples} | 5 \text{ units} | right
5 \text{ m/s} | 18 \text{ km/h} | right
5 \text{ m/s} | 18 \text{ km} | wrong
1 \text{ hour} | 60 \text{ minutes} | right
1 \text{ hour} | 61 \text{ minutes} | wrong
1 \text{ m}^2 | 10000 \text{ cm}^2 | right
1 \text{ m}^2 | 100 \text{ cm}^2 | wrong

[angles]
30^\circ | \frac{\pi}{6} | right
30^\circ | \frac{\pi}{6} \text{ radians} | right
\frac{\pi}{6} | 30^\circ | right
\frac{\pi}{6} \text{ radians} | 30^\circ | right
30^\circ | \frac{\pi}{3} | wrong
30^\circ | 30 | right
\frac{\pi}{6} | 30 | wrong
90^\circ | \frac{\pi}{2} | right

[percent]
25\% | 0.25 | right
25\% | \frac14 | right
25\% | 25 | right
0.25 | 25\% | right
25\% | 0.5 | wrong
25\% | 0.25\% | wrong
0.25 | 25 | wrong
25\% | 2500\% | wrong
2500\% | 25 | right
50\% | \frac{1}{2} | right
50\% | \frac{1}{3} | wrong

[integrals]
x^2 + C | x^2 + K | right
x^2 + C | x^2 + c | right
x^2 + C | x^3 + C | wrong
x^2 + C | x^2 | wrong
x^2 | x^2 + C | wrong
C x + C | K x + K | wrong
x^2 + C | x^2 + C + K | wrong

[words]
\text{red and } 5 \text{ blue} | \text{red and } 5 \text{ blue} | right
\text{red and } 5 \text{ blue} | \text{red and } 6 \text{ blue} | wrong
\text{red} | \text{blue} | wrong
\text{red} | 5 | wrong
\text{red} | \text{Red} | right
\text{the red one} | \text{red one} | right
\text{red} | \text{red and } 5 | wrong
"""
"""Gold, answer and what the answer is, by the kind of what is compared."""


def _rows() -> dict[str, list[tuple[str, str, str]]]:
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for line in PAIRS.strip().splitlines():
        if line.startswith("[") and line.endswith("]"):
            rows[line.strip("[]")] = []
        elif line:
            gold, answer, label = line.split(" | ")
            rows[list(rows)[-1]].append((gold, answer, label))
    return rows


@pytest.mark.parametrize(("gold", "answer", "verdict"), [("5", "???", "unparseable"), ("???", "5", "wrong")])
def test_an_answer_that_cannot_be_read_is_unparseable(gold: str, answer: str, verdict: str) -> None:
    reply = judge(Job(gold, answer, strict=True))
    assert (reply.verdict, reply.why) == (verdict, "not readable as an answer")


@pytest.mark.parametrize("kind", _rows())
def test_pairs_are_judged_as_labelled(kind: str) -> None:
    found = [(gold, answer, judge(Job(gold, answer, strict=True, mode="answer"))) for gold, answer, _ in _rows()[kind]]
    labels = [label for _, _, label in _rows()[kind]]
    judged = ["right" if reply.verdict == "correct" else "wrong" for _, _, reply in found]
    assert judged == labels, [one for one, got, label in zip(found, judged, labels, strict=True) if got != label]
