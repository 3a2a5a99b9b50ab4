"""The recipe that trained the bundled demo voice: corpus, recogniser, acoustic model, vocoder, evaluation, export."""
