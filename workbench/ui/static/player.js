// Schedules the chunks of a run on one clock, so that they follow each other without gaps. See player.py.
const PLAY = "M4 2.5v11l9-5.5z", PAUSE = "M4 2.5h3v11H4zM9 2.5h3v11H9z"
const players = new WeakMap()

function create(root) {
  const el = (q) => root.querySelector(q)
  const ui = { box: el(".player"), button: el("button"), path: el("svg path"), bar: el(".bar"), head: el(".head"),
               meter: el(".meter div"), out: el("output") }
  const p = { id: null, data: null, buffers: [], starts: [], live: [], playing: false, at: 0, origin: 0, wanted: false,
              ctx: null, analyser: null, frame: 0, peak: 0, generation: 0, loading: 0 }
  const clock = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`
  const ready = () => p.buffers.length
  const length = () => (ready() ? p.starts[ready() - 1] + p.buffers[ready() - 1].duration : 0)
  const whole = () => {  // planned length until the last chunk has arrived; cross-fades make the real one a bit shorter
    const planned = p.data ? p.data.seconds : []
    return Math.max(ready() >= planned.length ? length() : planned.reduce((a, b) => a + b, 0), 0.001)
  }
  const position = () => (p.playing ? Math.min(p.ctx.currentTime - p.origin, length()) : p.at)

  function context() {
    if (!p.ctx) {
      p.ctx = new AudioContext()
      p.analyser = p.ctx.createAnalyser()
      p.analyser.fftSize = 1024
      p.analyser.connect(p.ctx.destination)
    }
    return p.ctx
  }

  function schedule(k, from) {
    const ctx = context(), buffer = p.buffers[k], start = p.origin + p.starts[k]
    const before = k ? p.starts[k - 1] + p.buffers[k - 1].duration - p.starts[k] : 0
    const source = ctx.createBufferSource(), gain = ctx.createGain()
    source.buffer = buffer
    source.connect(gain).connect(p.analyser)
    if (before > 0 && start >= ctx.currentTime) {
      gain.gain.setValueAtTime(0, start)
      gain.gain.linearRampToValueAtTime(1, start + before)
      const previous = p.live.find((s) => s.k === k - 1)
      if (previous) {
        previous.gain.gain.setValueAtTime(1, start)
        previous.gain.gain.linearRampToValueAtTime(0, start + before)
      }
    }
    const offset = Math.max(0, from - p.starts[k])
    source.start(Math.max(start + offset, ctx.currentTime), offset)
    p.live.push({ k, source, gain })
  }

  function silence() {
    for (const { source } of p.live) { try { source.stop() } catch (e) { /* it has already ended */ } }
    p.live = []
  }

  async function play(from) {
    const ctx = context(), generation = ++p.generation
    if (ctx.state === "suspended") {
      await Promise.race([ctx.resume(), new Promise((done) => setTimeout(done, 400))])
      if (generation !== p.generation) return
    }
    silence()
    if (ctx.state !== "running") {  // the browser wants a click first
      p.playing = p.wanted = false
      return draw()
    }
    if (from >= length() - 0.02 && !p.data.active) from = 0
    p.origin = ctx.currentTime + 0.04 - from
    p.playing = true
    for (let k = 0; k < ready(); k++) if (p.starts[k] + p.buffers[k].duration > from) schedule(k, from)
    tick()
  }

  function pause() { p.at = position(); p.generation++; p.playing = false; silence(); draw() }

  function tick() {
    cancelAnimationFrame(p.frame)
    draw()
    if (!p.playing) return
    if (p.ctx.currentTime - p.origin >= length()) {
      if (p.data.active || p.loading) p.at = length()
      else { p.playing = false; p.wanted = false; p.at = length(); p.ended = true; silence(); draw(); return }
    }
    p.frame = requestAnimationFrame(tick)
  }

  function draw() {
    const now = position(), all = whole()
    ui.head.style.left = `calc(${(100 * now) / all}% - 1px)`
    ui.path.setAttribute("d", p.playing ? PAUSE : PLAY)
    ui.button.setAttribute("aria-label", p.playing ? "Pause" : "Play")
    ui.button.disabled = !ready()
    const waiting = p.playing && p.ctx.currentTime - p.origin >= length()
    ui.out.textContent = ready() ? (waiting ? `waiting for chunk ${ready() + 1}` : `${clock(now)} / ${clock(all)}`)
                                 : (p.data?.active ? "no chunk yet" : "nothing to play")
    ui.bar.setAttribute("aria-valuemax", all.toFixed(1))
    ui.bar.setAttribute("aria-valuenow", now.toFixed(1))
    let level = 0
    if (p.playing && p.analyser) {
      const samples = new Float32Array(p.analyser.fftSize)
      p.analyser.getFloatTimeDomainData(samples)
      for (const s of samples) level = Math.max(level, Math.abs(s))
      p.peak = Math.max(p.peak, level)
    }
    ui.meter.style.width = `${Math.min(100, 100 * Math.sqrt(level))}%`
    Object.assign(ui.box.dataset, { state: waiting ? "waiting" : p.playing ? "playing" : ready() ? "paused" : "empty",
      ready: ready(), position: now.toFixed(2), peak: p.peak.toFixed(4) })
  }

  function segments() {
    ui.bar.querySelectorAll("i").forEach((i) => i.remove())
    p.data.seconds.forEach((seconds, k) => {
      const i = document.createElement("i")
      i.style.flex = `${Math.max(seconds, 0.05)} 1 0`
      i.style.setProperty("--c", p.data.colours[k % p.data.colours.length])
      i.classList.toggle("ready", k < ready())
      ui.bar.insertBefore(i, ui.head)
    })
  }

  async function fetchNext() {
    const id = p.id
    p.loading++
    try {
      while (p.id === id && ready() < p.data.urls.length) {
        const k = ready(), response = await fetch(p.data.urls[k])
        if (!response.ok) break
        const buffer = await context().decodeAudioData(await response.arrayBuffer())
        if (p.id !== id) return
        const end = length()
        const late = p.playing && p.ctx.currentTime - p.origin >= end
        const overlap = Math.min(p.data.fade, end, buffer.duration)
        p.starts.push(k ? end - overlap : 0)
        p.buffers.push(buffer)
        segments()
        if (p.playing) {
          if (late) p.origin = p.ctx.currentTime + 0.04 - p.starts[k]
          schedule(k, Math.max(p.starts[k], p.ctx.currentTime - p.origin))
          tick()
        } else if (p.wanted && k === 0) play(0)
      }
    } finally { p.loading-- ; draw() }
  }

  ui.button.onclick = () => {
    p.wanted = !p.playing
    if (p.playing) pause()
    else play(p.at >= length() ? 0 : p.at)
  }
  const seek = (to) => { p.at = Math.max(0, Math.min(to, length())); if (p.playing) play(p.at); else draw() }
  ui.bar.onclick = (e) => { const r = ui.bar.getBoundingClientRect(); seek(whole() * (e.clientX - r.left) / r.width) }
  ui.bar.onkeydown = (e) => {
    const by = { ArrowLeft: -2, ArrowRight: 2, Home: -1e9, End: 1e9 }[e.key]
    if (by) { e.preventDefault(); seek(position() + by) }
  }

  return {
    update(data) {
      if (p.id !== data.id) {
        pause()
        Object.assign(p, { id: data.id, buffers: [], starts: [], at: 0, peak: 0, loading: 0, wanted: data.autoplay })
      }
      p.data = data
      segments()
      if (!p.loading) fetchNext()
      draw()
    },
    destroy() { p.id = null; p.playing = false; cancelAnimationFrame(p.frame); silence(); p.ctx?.close() },
  }
}

export default function ({ data, parentElement }) {
  let player = players.get(parentElement)
  if (!player) { player = create(parentElement); players.set(parentElement, player) }
  player.update(data)
  return () => { players.get(parentElement)?.destroy(); players.delete(parentElement) }
}
