"""What capabilities and the ways to score labels mean, in words for the pages. Data only."""

POWERS = [  # capability, its name, what it means
    ("text_prompts", "Text prompts", "any words around the input"),
    ("soft_prompts", "Soft prompts", "vectors at the input"),
    ("deep_prompts", "Deep prompts", "vectors at every layer"),
    ("label_probabilities", "Label probabilities", "graded scores, not right or wrong alone"),
    ("generation", "Generation", "text of the model’s own"),
    ("vocabulary", "Vocabulary", "the likeliest words for the gap"),
    ("infill", "Infill", "words after the label are read too"),
    ("features", "Features", "the vector made of an input"),
    ("images", "Images", "an image beside the words"),
    ("visual_prompts", "Visual prompts", "vectors beside the patches of an image"),
    ("thinking", "Thinking", "demonstrations read again and again, and what comes of them kept"),
    ("hidden_states", "Hidden states", "what each layer reads"),
    ("subnetworks", "Sub-networks", "fixed parts of the model, asked as the whole is"),
    ("adapter", "Adapter", "a projection of one model’s features to another’s vectors"),
]

RUNGS = {  # the ladder of label scores, best first
    "named": "log-probabilities of the label tokens themselves, asked for by name",
    "sequence": "log-probability of every label’s tokens after the prompt, from an echo",
    "top": "log-probabilities among the likeliest tokens; a label that is not there gets a floor",
    "choice": "the label that constrained decoding chose: 0 or 1, no probability",
    "samples": "how often each label was drawn, with its standard error",
    "match": "the label that the answer begins with: 0 or 1, no probability",
}

MEASURES = {  # what the shares of a job are means of: its name in the API, in words
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "contains": "contains",
    "regex": "regular expression",
    "f1": "F1",
    "rouge_l": "ROUGE-L",
    "numeric": "number",
}

LABELS_ONLY = ("promptboosting", "deep-thinking")  # a task with a metric has no labels to learn

UNWORDED = {  # kinds of prompts that are neither words nor a soft prompt, in words
    "ensemble": "A vote of templates, each with label words of its own.",
    "pixels": "A picture that is added to every image.",
    "thinking": "Demonstrations that the model goes over again and again.",
}
