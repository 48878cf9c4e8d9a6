// The microphone: asks for it, opens it, and hands out what it hears.

const RATE = 24_000;

export class Microphone {
  #stream = null;
  #context = null;
  #closed = false;

  /**
   * Resolves once sound comes, or at once where it was closed meanwhile; rejects with the browser's own error
   * (NotAllowedError, NotFoundError …).
   *
   * @param {(samples: Float32Array) => void} heard  gets 40 ms at a time, mono at 24 kHz.
   * @param {{clean: boolean}} options  clean: the browser takes out echo and noise.
   */
  async open(heard, { clean }) {
    const wishes = { channelCount: 1, echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean };
    if (!navigator.mediaDevices) throw new DOMException("no secure context", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wishes });
    if (this.#closed) return stop(stream); // While the browser still asked.
    this.#stream = stream;
    const [context, source] = openSource(this.#stream);
    this.#context = context;
    await context.audioWorklet.addModule(new URL("capture.worklet.js", import.meta.url));
    if (this.#closed) return;
    const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    capture.port.onmessage = ({ data }) => heard(data);
    source.connect(capture);
    await context.resume();
  }

  /** A muted microphone goes on to deliver, silence: the server's clock is the sound it gets. */
  set muted(muted) {
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Tells the browser to put its sign away. */
  close() {
    this.#closed = true;
    stop(this.#stream);
    this.#context?.close();
    this.#stream = this.#context = null;
  }
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** A context at 24 kHz, where the browser converts; else (Firefox) at the device's rate, and we do. */
function openSource(stream) {
  for (const options of [{ sampleRate: RATE }, {}]) {
    const context = new AudioContext({ ...options, latencyHint: "interactive" });
    try {
      return [context, context.createMediaStreamSource(stream)];
    } catch (error) {
      context.close();
      if (error.name !== "NotSupportedError" || !options.sampleRate) throw error;
    }
  }
}
