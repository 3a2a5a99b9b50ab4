// Sounds as pages describe them, and what this browser remembers.

// A sound with complete addresses.
export const whole = (sound) => (sound.base ? { ...sound, base: "", urls: sound.urls.map((url) => sound.base + url) } : sound)

export function stored(name, otherwise) {
  try { return Number(localStorage.getItem(`dock-${name}`) ?? otherwise) } catch { return otherwise }
}

export function store(name, value) {
  try { localStorage.setItem(`dock-${name}`, value) } catch { /* private windows may refuse it */ }
}
