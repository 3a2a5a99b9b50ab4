"""What a phonetician reads from a sound: spectrum, intensity and formants. Arrays in, arrays out."""
