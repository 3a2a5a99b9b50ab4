// The bar itself: its elements, in a shadow root that is a child of the body, so that no page redraws it.
import { KEYS } from "./dock-keys.js"
import { SPEEDS } from "./dock-speeds.js"

const PATHS = {
  play: "M4 2v12l10-6z", pause: "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z",
  loop: "M11 2.2 14 5l-3 2.8V6H5.2A2.2 2.2 0 0 0 3 8.2H1.4A3.8 3.8 0 0 1 5.2 4.4H11zM5 13.8 2 11l3-2.8V10h5.8A2.2 2.2 0 0 0 13 7.8h1.6a3.8 3.8 0 0 1-3.8 3.8H5z",
  loud: "M2 6h2.6L8.4 3v10L4.6 10H2zM10.2 5.2a4 4 0 0 1 0 5.6l-.9-.9a2.700 2.700 0 0 0 0-3.800zM12 3.400a6.500 6.500 0 0 1 0 9.200l-.9-.9a5.200 5.200 0 0 0 0-7.400z",
  mute: "M2 6h2.600L8.400 3v10L4.600 10H2zM10 6.200l1-1 1.500 1.600L14 5.200l1 1L13.400 8 15 9.700l-1 1-1.500-1.600-1.500 1.600-1-1L11.600 8z",
  cross: "M3.500 2.500 8 7l4.500-4.500 1 1L9 8l4.500 4.500-1 1L8 9l-4.500 4.500-1-1L7 8 2.500 3.500z",
  more: "M3 6.600a1.400 1.400 0 1 1 0 2.800 1.400 1.400 0 0 1 0-2.800zm5 0a1.400 1.400 0 1 1 0 2.800 1.400 1.400 0 0 1 0-2.800zm5 0a1.400 1.400 0 1 1 0 2.800 1.400 1.400 0 0 1 0-2.800z",
}
const icon = (name) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${PATHS[name]}"/></svg>`
const volume = (id) => `<button type="button" class="mute" aria-label="Mute" aria-pressed="false">${icon("loud")}</button>
  <input type="range" class="level" min="0" max="100" step="5" aria-label="Volume" id="${id}">`

const HTML = `
<div class="dock" role="region" aria-label="Player">
  <button type="button" class="play" aria-label="Play" title="Play (Space)">${icon("play")}</button>
  <div class="slots" role="group" aria-label="Compare" hidden>
    <button type="button" class="slot" data-slot="A" aria-pressed="true" title="Hear A (X)">A</button>
    <button type="button" class="slot" data-slot="B" aria-pressed="false" title="Hear B (X)">B</button>
  </div>
  <div class="track">
    <div class="names"><span class="title"></span><button type="button" class="back" hidden></button><span class="state"></span></div>
    <div class="bar" role="slider" tabindex="0" aria-label="Position" aria-valuemin="0" aria-valuemax="0" aria-valuenow="0">
      <canvas></canvas><div class="head"></div>
    </div>
  </div>
  <div class="time"></div>
  <div class="tools">
    <button type="button" class="match" aria-pressed="false" title="Bring A and B to one level" hidden>=&thinsp;dB</button>
    <button type="button" class="close-b" aria-label="Close B" title="Close B" hidden>${icon("cross")}</button>
    <button type="button" class="loop" aria-label="Loop" aria-pressed="false">${icon("loop")}</button>
    <select class="speed" aria-label="Speed, at the same pitch" title="Speed, at the same pitch (&lt; and &gt;)">
      ${SPEEDS.map((speed) => `<option value="${speed}"${speed === 1 ? " selected" : ""}>${speed}&times;</option>`).join("")}</select>
    <div class="meter" role="meter" aria-label="Level" aria-valuemin="-60" aria-valuemax="0"><i></i></div>
    <div class="volume">${volume("volume")}</div>
    <button type="button" class="more" aria-label="Keys and volume" aria-expanded="false" title="Keys (?)">
      <span class="only-narrow">${icon("more")}</span><span class="mark">?</span></button>
  </div>
  <div class="panel" role="dialog" aria-label="Player: volume and keys">
    <button type="button" class="close" aria-label="Close">${icon("cross")}</button>
    <h2>Player: volume and keys</h2>
    <div class="row">${volume("volume-narrow")}</div>
    <dl>${KEYS.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl>
  </div>
  <div class="quiet" role="status"></div>
</div>`

export function build() {
  const host = document.createElement("div")
  host.id = "workbench-dock"
  host.hidden = true
  const root = host.attachShadow({ mode: "open" })
  root.innerHTML = `<link rel="stylesheet" href="/dock/dock.css">${HTML}`
  document.body.append(host)
  const one = (selector) => root.querySelector(selector), all = (selector) => [...root.querySelectorAll(selector)]
  const ui = {
    host, root, play: one(".play"), slots: one(".slots"), title: one(".title"), back: one(".back"), state: one(".state"),
    bar: one(".bar"), canvas: one("canvas"), head: one(".head"), time: one(".time"), match: one(".match"),
    closeB: one(".close-b"), loop: one(".loop"), speed: one(".speed"), meter: one(".meter"), level: one(".meter i"), more: one(".more"),
    panel: one(".panel"), close: one(".panel .close"), status: one(".quiet"), mutes: all(".mute"), volumes: all(".level"),
    slot: (name) => one(`.slot[data-slot=${name}]`),
    set: (button, name) => button.querySelector("path").setAttribute("d", PATHS[name]),
  }
  const tall = () => document.documentElement.style.setProperty("--dock-height", host.hidden ? "0px" : `${Math.ceil(host.getBoundingClientRect().height)}px`)
  new ResizeObserver(tall).observe(host)
  ui.measure = tall
  return ui
}

// Draw the parts of a sound with their envelopes, and the span of the loop.
export function paint(canvas, sound, { made, envelope, colours, loop, ink, grey }) {
  const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight
  if (!width || !height) return
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
  }
  const c = canvas.getContext("2d"), length = Math.max(sound.length, 0.001), x = (s) => (s / length) * width
  c.setTransform(scale, 0, 0, scale, 0, 0)
  c.clearRect(0, 0, width, height)
  sound.starts.forEach((start, k) => {
    const from = x(start), wide = Math.max(x(start + sound.seconds[k]) - from - (sound.starts.length < width / 6 ? 1 : 0), 0.5)
    const peaks = k < made && !sound.blind ? envelope(k) : null
    c.fillStyle = sound.blind ? grey : colours[(sound.first + k) % colours.length]
    c.globalAlpha = k >= made ? 0.16 : peaks ? 0.3 : 0.62
    c.fillRect(from, 0, wide, height)
    if (!peaks) return
    c.globalAlpha = 1
    const columns = Math.max(1, Math.floor(wide))
    for (let i = 0; i < columns; i++) {
      let peak = 0
      for (let j = Math.floor((i * peaks.length) / columns); j < Math.max(((i + 1) * peaks.length) / columns, (i * peaks.length) / columns + 1) && j < peaks.length; j++) peak = Math.max(peak, peaks[j])
      const tall = Math.max(1, Math.min(1, Math.sqrt(peak)) * (height - 2))
      c.fillRect(from + i, (height - tall) / 2, 1, tall)
    }
  })
  if (!loop) return
  c.fillStyle = ink
  c.globalAlpha = 0.18
  c.fillRect(x(loop.from), 0, x(loop.to) - x(loop.from), height)
  c.globalAlpha = 0.9
  for (const edge of [loop.from, loop.to]) c.fillRect(x(edge) - 1, 0, 2, height)
}
