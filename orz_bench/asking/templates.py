r"""The prompt templates, each a pure function of the question.

orz-code and orz-paper are byte-exact copies of the reference's code and of the paper's Table 1; chat is the
checkpoint's own template; plain and few-shot are for base models without a trained format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orz_bench.engines.engine import Tokenizer
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import AnswerKind, Problem

Messages = list[dict[str, str]]

_ORZ_CODE = (
    "A conversation between User and Assistant. The User asks a question, and the Assistant solves it. "
    "The Assistant first thinks about the reasoning process in the mind and then provides the User with the answer. "
    "The reasoning process is enclosed within <think> </think> and answer is enclosed within <answer> </answer> tags, "
    "respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. "
    "User: You must put your answer inside <answer> </answer> tags, i.e., <answer> answer here </answer>. "
    "And your final answer will be extracted automatically by the \\boxed{} tag.\n"
    "This is the problem:\n"
)
_ORZ_PAPER = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. "
    "The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. "
    "The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, "
    "respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. "
    "User: You must put your answer inside <answer> </answer> tags, i.e., <answer> answer here </answer>. "
    "And your final answer will be extracted automatically by the \\boxed{} tag. "
)
_ORZ_END = "\nAssistant: <think>"
ORZ_CODE_PARTS = (_ORZ_CODE, _ORZ_END)
"""The fixed text of orz-code, before and after the question."""

_ASK: Mapping[AnswerKind, str] = {
    "math": "\n\nPlease reason step by step, and put your final answer within \\boxed{}.",
    "choice": "\n\nPlease reason step by step, and put the letter of the correct option within \\boxed{}.",
    "instruction": "",
}

_LCB_SYSTEM = (
    "You are an expert Python programmer. You will be given a question (problem specification) and will generate a "
    "correct Python program that matches the specification and passes all tests."
)
_WITH_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within "
    "delimiters."
)
_WITHOUT_STARTER = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample "
    "inputs). Enclose your code within delimiters as follows. Ensure that when the python program runs, it reads the "
    "inputs, runs the algorithm and writes output to STDOUT."
)

_SHOTS: Mapping[AnswerKind, tuple[tuple[str, str], ...]] = {
    "math": (
        (
            "A shop sells pens at 3 coins each. How many coins do 14 pens cost?",
            "Each pen costs 3 coins, so 14 pens cost $14 \\cdot 3 = 42$ coins. The final answer is \\boxed{42}.",
        ),
        (
            "Solve $5x - 7 = 2x + 8$ for $x$.",
            "Subtracting $2x$ gives $3x - 7 = 8$, so $3x = 15$ and $x = 5$. The final answer is \\boxed{5}.",
        ),
        (
            "What is the probability that two fair dice show the same number?",
            "Of the $6 \\cdot 6 = 36$ outcomes, 6 are doubles, so it is $\\frac{6}{36} = \\frac{1}{6}$. "
            "The final answer is \\boxed{\\frac{1}{6}}.",
        ),
        (
            "Find the area of a right triangle with legs $\\sqrt{8}$ and $\\sqrt{2}$.",
            "The area is half the product of the legs: $\\frac{1}{2} \\sqrt{8} \\cdot \\sqrt{2} = \\frac{1}{2} "
            "\\sqrt{16} = 2$. The final answer is \\boxed{2}.",
        ),
    ),
    "choice": (
        (
            "Which gas do plants take up for photosynthesis?\n\nA. Oxygen\nB. Carbon dioxide\nC. Nitrogen\nD. Helium",
            "Photosynthesis turns carbon dioxide and water into sugar and oxygen. The final answer is \\boxed{B}.",
        ),
        (
            "A body moves at a constant velocity. What is the net force on it?\n\n"
            "A. It grows with time\nB. It points forward\nC. It points backward\nD. Zero",
            "Without acceleration the net force vanishes, by Newton's second law. The final answer is \\boxed{D}.",
        ),
    ),
}


def format_of_program(problem: Problem) -> str:
    """The part of LiveCodeBench's prompt about the form of a program."""
    starter = problem.extra.get("starter_code")
    about, shown = (_WITH_STARTER, starter) if starter else (_WITHOUT_STARTER, "# YOUR CODE HERE")
    return f"### Format: {about}\n```python\n{shown}\n```"


def orz_code(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """The template of the reference implementation; it opens with the tokenizer's bos, if there is one."""
    return f"{_bos(tokenizer)}{_ORZ_CODE}{_shown(problem)}{_ORZ_END}"


def orz_paper(problem: Problem, _tokenizer: Tokenizer | None) -> str:
    """The paper's Table 1, which has no bos."""
    return f"{_ORZ_PAPER}{_shown(problem)}{_ORZ_END}"


def chat(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """The question and a request for a boxed answer (none with instructions), in the checkpoint's chat template."""
    if tokenizer is None:
        raise ConfigError(
            "--template chat needs the checkpoint's tokenizer, but only its name on a server is known; "
            "give --tokenizer FOLDER_OR_HUB_ID, or use --template plain."
        )
    return tokenizer.render_chat(_chat_messages(problem))


def _chat_messages(problem: Problem) -> Messages:
    return [{"role": "user", "content": f"{problem.question}{_ask(problem)}"}]


def plain(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """The question and a request for a boxed answer, nothing else."""
    return f"{_bos(tokenizer)}{problem.question}{_ask(problem)}\n"


def few_shot(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """Worked examples of the same kind, then the question. Raises ConfigError for a kind that has none."""
    if problem.kind not in _SHOTS:
        raise ConfigError(
            f"{problem.benchmark}: --template few-shot has no worked examples for it; use chat, plain, orz-code, or "
            f"lcb for programs."
        )
    shots = "".join(f"Problem: {question}\nSolution: {solution}\n\n" for question, solution in _SHOTS[problem.kind])
    return f"{_bos(tokenizer)}{shots}Problem: {problem.question}\nSolution:"


def worked(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """The benchmark's own worked examples, laid out as in few-shot. Raises ConfigError for a benchmark without any."""
    if not problem.examples:
        raise ConfigError(
            f"{problem.benchmark}: has no worked examples of its own, which --template worked shows; use few-shot."
        )
    return f"{_bos(tokenizer)}{problem.examples}Problem: {problem.question}\nSolution:"


def lcb(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """LiveCodeBench's own prompt for chat models, byte for byte, in the checkpoint's chat template."""
    if tokenizer is None:
        raise ConfigError(
            "--template lcb needs the checkpoint's tokenizer, but only its name on a server is known; "
            "give --tokenizer FOLDER_OR_HUB_ID, or use --template plain."
        )
    return tokenizer.render_chat(_lcb_messages(problem))


def _lcb_messages(problem: Problem) -> Messages:
    request = f"### Question:\n{problem.question}\n\n{format_of_program(problem)}\n\n"
    request += "### Answer: (use the provided format with backticks)\n\n"
    return [{"role": "system", "content": _LCB_SYSTEM}, {"role": "user", "content": request}]


def mmlu(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """The benchmark's examples and the question, as in lm-eval and in the original MMLU: an option's letter follows."""
    return f"{_opening(tokenizer)}{problem.examples}{problem.question}\nAnswer:"


def mmlu_pro(problem: Problem, tokenizer: Tokenizer | None) -> str:
    """The benchmark's examples and the question, as in MMLU-Pro's official script."""
    return f"{_opening(tokenizer)}{problem.examples}Question:\n{problem.question}\nAnswer: Let's think step by step."


def _mmlu_pro_messages(problem: Problem) -> Messages:
    return [{"role": "user", "content": mmlu_pro(problem, None)}]


Template = Callable[[Problem, Tokenizer | None], str]

TEMPLATES: Mapping[str, Template] = {
    "orz-code": orz_code,
    "orz-paper": orz_paper,
    "chat": chat,
    "plain": plain,
    "few-shot": few_shot,
    "worked": worked,
    "lcb": lcb,
    "mmlu": mmlu,
    "mmlu-pro": mmlu_pro,
}
OF_CHECKPOINT = ("chat", "lcb")
"""The templates that are rendered by the checkpoint's own chat template."""
MESSAGES: Mapping[str, Callable[[Problem], Messages]] = {
    "chat": _chat_messages,
    "lcb": _lcb_messages,
    "mmlu-pro": _mmlu_pro_messages,
}
"""The templates that a server's chat endpoint can be asked with. The others open the assistant's turn, or are texts
to be continued; MMLU-Pro's official script sends its text to hosted models as one user message."""
WITH_EXAMPLES = ("mmlu", "mmlu-pro")
"""The templates that show the benchmark's own worked examples."""

NEED_EXAMPLES = ("worked",)
"""Those that refuse a benchmark without any."""


def _opening(tokenizer: Tokenizer | None) -> str:
    return tokenizer.opening if tokenizer is not None else ""


def _bos(tokenizer: Tokenizer | None) -> str:
    return tokenizer.bos if tokenizer is not None else ""


def _shown(problem: Problem) -> str:
    """The question, followed for programs by the required form."""
    return f"{problem.question}\n\n{format_of_program(problem)}" if problem.kind == "code" else problem.question


def _ask(problem: Problem) -> str:
    return f"\n\n{format_of_program(problem)}" if problem.kind == "code" else _ASK[problem.kind]
