"""Group-relative policy optimisation of one fold: `oncoraft grpo train.jsonl --base MODEL_DIR --fold-model START_DIR --out FOLD_DIR ...`.

In each step some prompts are answered several times by the model as it is, the answers are judged, and those that are better than the
others of their group become likelier. The reference is a frozen copy of the starting adapter; the base is shared.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import torch

from oncoraft.alignment.align import Prepared, Start, align, aligning_parser
from oncoraft.alignment.groups import Group, micro_groups
from oncoraft.alignment.objective import advantages, by_answer, divergence, policy_losses
from oncoraft.alignment.pairs import chosen_cases
from oncoraft.alignment.policy import with_weights
from oncoraft.alignment.rewards import Rewards
from oncoraft.alignment.sampling import Sampled, Writer
from oncoraft.alignment.updates import batches, descend, logged, read, score_loss
from oncoraft.models.base import context_length
from oncoraft.models.cases import Case
from oncoraft.planning.config import GroupPolicy
from oncoraft.planning.edge import run
from oncoraft.training.trainer import Entry, Trainer

EXAMPLE = """\
in:   a fold's training file, its base model, and the folder of the strategy to start from
out:  adapter and score head as `oncoraft train` writes them, training_log.jsonl (a line a step: reward by name, divergence, clipped share,
      share of groups without variance, length, entropy), alignment.json (the score head before and after its refit),
      training_patients.txt, manifest.json

example:
  oncoraft grpo train.jsonl --base models/Qwen3-8B --fold-model dpo/fold-0 --out grpo/fold-0 --state state/0 --gpus 4

A run that was stopped (SIGTERM: status 75) goes on from its last complete state when called again in the same way."""


@torch.no_grad()
def log_probabilities(
    trainer: Trainer, groups: Sequence[Group], temperature: float, weights: dict[str, torch.Tensor]
) -> list[torch.Tensor]:
    """Log-probability of each answer token under other adapter weights, a tensor a row of `micro_groups`."""
    with with_weights(trainer.model, weights):
        return [read(trainer, part, temperature)[1] for part in micro_groups(groups, trainer.settings.tokens_per_micro_batch)]


def policy_step(
    trainer: Trainer, cases: Sequence[Case], settings: GroupPolicy, temperature: float, writer: Writer, reference: dict[str, torch.Tensor]
) -> Entry:
    """Sample, judge, and learn from one batch of prompts, `updates_per_batch` times; what it cost is logged and returned."""
    started, processes = time.monotonic(), trainer.processes
    sampled = writer.answers(list(cases)[processes.rank :: processes.count], trainer.step)
    judged = [(one, worth(one, trainer.device)) for one in sampled]
    learning = [(one.group, advantage) for one, advantage in judged if bool(advantage.any())]
    entry = described(trainer, sampled, len(learning), len(cases))
    entry["entropy"] = None  # unless there is something to learn from
    rate, parts = float(trainer.schedule.get_last_lr()[-1]), [0.0, 0.0, 0.0, 0.0]
    # Asked of all processes: one without a group to learn from must still take part in the sums.
    if processes.any(bool(learning), trainer.device):
        parts = learn(trainer, learning, settings, temperature, reference, entry)
    loss, kl, clipped, norm = parts
    entry |= {"loss": loss, "kl": kl, "clipped_share": clipped, "gradient_norm": norm, "learning_rate": rate}
    read_tokens = int(processes.sum(torch.tensor(float(sum(one.group.length for one in sampled)), device=trainer.device)))
    return logged(trainer, entry, started, read_tokens)


def worth(one: Sampled, device: torch.device) -> torch.Tensor:
    """Advantage of each answer of a group, (samples,); an answer that no reward applies to has none, and takes no part in the mean."""
    found = torch.zeros(len(one.judged), device=device)
    told = [place for place, judged in enumerate(one.judged) if judged.total is not None]
    if len(told) > 1:
        rewards = torch.tensor([one.judged[place].total for place in told], dtype=torch.float32, device=device)
        found[told] = advantages(rewards)
    return found


def learn(
    trainer: Trainer,
    learning: Sequence[tuple[Group, torch.Tensor]],
    settings: GroupPolicy,
    temperature: float,
    reference: dict[str, torch.Tensor],
    entry: Entry,
) -> list[float]:
    """Update on the sampled answers; mean loss, divergence, clipped share and gradient norm of the last update."""
    processes = trainer.processes
    groups = [group for group, _ in learning]
    by_case = {group.case.case_id: advantage for group, advantage in learning}
    rows = micro_groups(groups, trainer.settings.tokens_per_micro_batch)
    known = log_probabilities(trainer, groups, temperature, reference) if settings.kl_weight else [None] * len(rows)
    # Of all answers of the step, those of groups without variance too: a few that remain must not weigh more.
    answers, tokens = entry["answers"] or 1.0, entry["answer_tokens"] or 1.0
    old: list[torch.Tensor] = []
    last = [0.0, 0.0, 0.0, 0.0]
    for update in range(settings.updates_per_batch):
        trainer.optimizer.zero_grad()
        total = torch.zeros(4, device=trainer.device)
        for place, part in enumerate(rows):
            row, new, states = read(trainer, part, temperature)
            if update == 0:
                old.append(new.detach())
            advantage = torch.cat([by_case[group.case.case_id] for group in part]).repeat_interleave(row.lengths)
            losses, clipped = policy_losses(new, old[place], known[place], advantage, settings.clip, settings.kl_weight)
            summed = (
                by_answer(losses, row.lengths, mean=True).sum() / answers if settings.normalised_by == "answer" else losses.sum() / tokens
            )
            loss = summed + score_loss(trainer, part, states) / (entry["prompts"] or 1.0)
            loss.backward()
            moved = new.new_zeros(()) if known[place] is None else divergence(new.detach(), known[place]).sum()  # type: ignore[arg-type]
            total += torch.stack([loss.detach(), moved, clipped.sum().float(), new.new_tensor(float(len(new)))])
        loss, moved, clipped_tokens, counted = processes.sum(total).tolist()
        last = [loss, moved / counted, clipped_tokens / counted, descend(trainer)]
        if update == 0:
            # Of the tokens as they were drawn; at temperature 1 and without a nucleus an unbiased estimate of the entropy.
            drawn = torch.stack([-torch.cat(old).sum(), old[0].new_tensor(float(sum(map(len, old))))]) if old else torch.zeros(2)
            nats, count = processes.sum(drawn.to(trainer.device)).tolist()
            entry["entropy"] = nats / max(1.0, count)
    return last


def described(trainer: Trainer, sampled: Sequence[Sampled], learning: int, prompts: int) -> Entry:
    """What the samples of a step are like, over all processes: rewards by name, spread within groups, lengths, share cut."""
    judged = [judged for one in sampled for judged in one.judged]
    names = sorted(judged[0].parts) if judged else []
    totals = [[j.total for j in one.judged if j.total is not None] for one in sampled]
    spreads = [float(torch.tensor(values).std()) for values in totals if len(values) > 1]
    answers = [answer for one in sampled for answer in one.group.answers]
    ended = [ended for one in sampled for ended in one.is_ended]
    sums = [
        float(learning),
        float(len(answers)),
        float(sum(map(len, answers))),
        float(len(ended) - sum(ended)),
        sum(spreads),
        float(len(spreads)),
    ]
    for name in [None, *names]:
        values = [value for j in judged if (value := j.total if name is None else j.parts[name]) is not None]
        sums += [sum(values), float(len(values))]
    found = trainer.processes.sum(torch.tensor(sums, dtype=torch.float64, device=trainer.device)).tolist()
    learned, count, tokens, cut, spread, groups = found[:6]
    entry: Entry = {"prompts": float(prompts), "answers": count, "answer_tokens": tokens, "length": tokens / max(1.0, count)}
    entry |= {"cut_share": cut / max(1.0, count), "zero_variance_share": 1 - learned / prompts, "reward_spread": spread / max(1.0, groups)}
    for place, name in enumerate([None, *names]):
        total, applying = found[6 + 2 * place], found[7 + 2 * place]
        entry["reward" if name is None else f"reward_{name}"] = total / applying if applying else None
    return entry


def prepare(start: Start) -> Prepared:
    """The steps over the prompts of the fold."""
    settings: GroupPolicy = start.blocks["grpo"]
    alignment, trainer = start.blocks["alignment"], start.trainer
    # Before anything is sampled: a function that is not there must not be found out after hours.
    rewards, longest = Rewards(alignment), context_length(trainer.model)
    writer = Writer(
        trainer.model, trainer.head, start.tokenizer, alignment, rewards, start.texts, longest, trainer.settings.tokens_per_micro_batch
    )
    items = batches(chosen_cases(start.cases, alignment), settings.epochs, settings.prompts_per_step, alignment.seed)
    take = partial(policy_step, trainer, settings=settings, temperature=alignment.temperature, writer=writer, reference=start.reference)
    return Prepared(items, take, settings.updates_per_batch)


def main(arguments: Sequence[str] | None = None) -> int:
    """Align one fold by rewards; status 75 after SIGTERM, with the state saved."""
    return align("grpo", aligning_parser("grpo", EXAMPLE).parse_args(arguments), prepare, main, arguments)


if __name__ == "__main__":
    raise SystemExit(run(main))
