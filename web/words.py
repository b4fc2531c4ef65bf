"""What capabilities and the ways to score labels mean, in words for the pages. Data only."""

POWERS = [  # capability, its name, what it means
    ("text_prompts", "Text prompts", "any words around the input"),
    ("soft_prompts", "Soft prompts", "vectors at the input"),
    ("deep_prompts", "Deep prompts", "vectors at every layer"),
    ("label_probabilities", "Label probabilities", "graded scores, not right or wrong alone"),
    ("generation", "Generation", "text of the model’s own"),
    ("vocabulary", "Vocabulary", "the likeliest words for the gap"),
]

RUNGS = {  # the ladder of label scores, best first
    "named": "log-probabilities of the label tokens themselves, asked for by name",
    "sequence": "log-probability of every label’s tokens after the prompt, from an echo",
    "top": "log-probabilities among the likeliest tokens; a label that is not there gets a floor",
    "choice": "the label that constrained decoding chose: 0 or 1, no probability",
    "samples": "how often each label was drawn, with its standard error",
    "match": "the label that the answer begins with: 0 or 1, no probability",
}
