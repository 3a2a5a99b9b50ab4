// Make a sound longer or shorter at the same pitch: WSOLA (Verhelst and Roelands, ICASSP 1993).
//
// Overlapping frames of the sound are laid at other distances. Each is moved by up to SEEK to where it continues the
// frame before it best, so pitch and timbre stay. What sounds at second t is second t * rate of the sound, within SEEK:
// a cursor that follows this rule is right within a hundredth of a second.
const FRAME = 0.04 // s: two periods of a very low voice
const SEEK = 0.01 // s: one period of a low voice in all
const COARSE = 4 // samples, at 48 kHz

// Returns the channels (Float32Array) of the sound, 1 / rate times as long. Distances are chosen by the first one.
export function stretch(channels, sampleRate, rate) {
  const sound = channels[0], n = sound.length, length = Math.round(n / rate)
  const half = Math.round((FRAME * sampleRate) / 2), frame = 2 * half, seek = Math.round(SEEK * sampleRate)
  const window = Float32Array.from({ length: frame }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / frame))
  const made = channels.map(() => new Float32Array(length))
  let before = null // where the frame before began in the sound
  for (let at = -half; at < length; at += half) {
    const wanted = Math.round((at + half) * rate) - half
    const from = before === null ? wanted : wanted + nearest(sound, before + half, wanted, frame, seek)
    before = from
    const first = Math.max(0, -at, -from), last = Math.min(frame, length - at, n - from)
    channels.forEach((channel, c) => {
      const out = made[c]
      for (let i = first; i < last; i++) out[at + i] += window[i] * channel[from + i]
    })
  }
  return made
}

// By how many samples a frame that begins at ``wanted`` is to be moved, so that it is most like the one at ``natural``.
function nearest(sound, natural, wanted, frame, seek) {
  let best = 0, highest = likeness(sound, natural, wanted, frame, COARSE)
  const look = (shift, step) => {
    const found = likeness(sound, natural, wanted + shift, frame, step)
    if (found > highest) { highest = found; best = shift }
  }
  for (let shift = COARSE; shift <= seek; shift += COARSE) { look(shift, COARSE); look(-shift, COARSE) }
  const around = best
  highest = likeness(sound, natural, wanted + best, frame, 1)
  for (let shift = Math.max(-seek, around - COARSE + 1); shift < Math.min(seek + 1, around + COARSE); shift++) look(shift, 1)
  return best
}

// Correlation of two frames of the sound, normalised by the level of the second; 0 where it is silent.
function likeness(sound, a, b, frame, step) {
  let both = 0, own = 0
  const first = Math.max(0, -a, -b), last = Math.min(frame, sound.length - a, sound.length - b)
  for (let i = first; i < last; i += step) {
    const y = sound[b + i]
    both += sound[a + i] * y
    own += y * y
  }
  return own > 1e-9 ? both / Math.sqrt(own) : 0
}
