"""Which judge grades which kind of answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from orz_bench.grading.judges import instructions, mathematics
from orz_bench.grading.judges.instructions import InstructionJudge
from orz_bench.grading.judges.judge import JudgeEntry, versions
from orz_bench.grading.judges.letters import LetterJudge
from orz_bench.grading.judges.mathematics import MathJudge
from orz_bench.grading.judges.programs import ProgramJudge, program_version
from orz_bench.records.rollout import AnswerKind

_OF_MATHEMATICS = partial(versions, mathematics.LIBRARIES)
"""Letters bear the same version."""
JUDGES: Mapping[AnswerKind, JudgeEntry] = {
    "math": JudgeEntry(open=MathJudge, version=_OF_MATHEMATICS),
    "choice": JudgeEntry(open=LetterJudge, version=_OF_MATHEMATICS),
    "instruction": JudgeEntry(open=InstructionJudge, version=partial(versions, instructions.LIBRARIES)),
    "code": JudgeEntry(open=ProgramJudge, version=program_version),
}
