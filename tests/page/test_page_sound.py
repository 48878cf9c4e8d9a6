"""The page's sound, sample by sample, in a real browser's audio thread, whose clock stands still while a
test thinks: what is asserted is the same on any machine."""

import base64

import numpy as np
import pytest

from realtime.audio import g711

RATE = 24_000
HELPERS = """
    const modules = name => import(`/page/audio/${name}.js`);
    const noise = (count, seed = 1) => Float32Array.from({length: count}, () => {
        seed = (seed * 48271) % 2147483647;
        return seed / 2147483647 - 0.5 || 0.25;
    });
    const same = (a, b) => a.length === b.length && a.every((one, i) => one === b[i]);
    /* Renders the playback worklet. `feed` holds [second, do(node)]: what it is told, exactly then. */
    const render = async (seconds, feed) => {
        const { playbackNode } = await modules("speaker");
        const context = new OfflineAudioContext(1, seconds * 24000, 24000);
        const node = await playbackNode(context);
        node.connect(context.destination);
        const heard = [], asked = [];
        node.port.onmessage = ({data}) => data.answered ? asked.shift()(data) : heard.push(data);
        const figures = () => new Promise(done => (asked.push(done), node.port.postMessage({ask: 1})));
        for (const [at, tell] of feed) {
            context.suspend(at).then(async () => { tell(node.port); await figures(); context.resume(); });
        }
        const out = (await context.startRendering()).getChannelData(0);
        return { out, heard, figures: await figures() };
    };
    const add = (samples, item = "a") => port => port.postMessage({add: item, samples});
    const end = (item = "a") => port => port.postMessage({end: item});
    const both = (...tells) => port => tells.forEach(tell => tell(port));
    const sounding = out => {
        const first = out.findIndex(one => one !== 0), last = out.findLastIndex(one => one !== 0);
        return [first, out.slice(first, last + 1)];
    };
"""


def js(page, body):
    return page.run(f"(async () => {{ {HELPERS} {body} }})()")


@pytest.fixture(scope="module")
def lab(browser, site):
    """A page of the server's for all tests here: they use its modules, not itself."""
    with browser.page(f"{site}/page/icon.svg") as opened:
        yield opened


def test_sound_that_comes_in_time_is_played_without_a_gap(lab):
    """80 ms deltas at the pace at which they play, each up to 35 ms late: less than the cushion of 40 ms."""
    result = js(
        lab,
        """
        const sound = noise(24000), late = [0, 35, 10, 30, 0, 20, 35, 0, 20, 35, 0, 10, 35];
        const feed = [];
        for (let i = 0; i * 1920 < sound.length; i += 1) {
            const piece = add(sound.slice(i * 1920, (i + 1) * 1920));
            feed.push([(i * 80 + late[i]) / 1000, i === 12 ? both(piece, end()) : piece]);
        }
        const { out, heard, figures } = await render(2, feed);
        const [first, played] = sounding(out);
        const started = heard.find(one => one.started), finished = heard.find(one => one.finished);
        return { first, same: same(played, sound), gaps: figures.gaps, queued: figures.queued,
                 at: started.time * 24000, played: finished.played };
        """,
    )
    assert result["same"]
    assert (result["gaps"], result["queued"]) == (0, 0)
    # It begins when the cushion's time is over, and blocks are 128 samples.
    assert result["at"] == result["first"]
    assert 960 <= result["first"] <= 960 + 128
    assert result["played"] == RATE


def test_sound_that_is_made_faster_than_it_plays_begins_sooner(lab):
    first = js(
        lab,
        """
        const feed = Array.from({length: 10}, (_, i) => [i / 100, add(noise(1920, i + 1))]);
        const { out } = await render(1, feed);
        return sounding(out)[0];
        """,
    )
    # The second delta comes after 10 ms: with it there is more than the cushion beside the first.
    assert 240 <= first <= 240 + 128


def test_what_comes_too_late_costs_one_gap_and_no_sample(lab):
    result = js(
        lab,
        """
        const sound = noise(9600);
        const { out, figures } = await render(1, [
            [0, add(sound.slice(0, 4800))],
            [0.3, add(sound.slice(4800, 6000))],
            [0.32, both(add(sound.slice(6000)), end())],
        ]);
        const all = out.filter(one => one !== 0);
        return { same: same(all, sound), gaps: figures.gaps, cushion: figures.cushion };
        """,
    )
    assert result == {"same": True, "gaps": 1, "cushion": 1440}


def test_a_short_answer_needs_no_cushion(lab):
    assert js(
        lab,
        """
        const sound = noise(240);
        const { out, figures } = await render(1, [[0, both(add(sound), end())]]);
        return same(sounding(out)[1], sound) && figures.gaps === 0;
        """,
    )


def test_two_answers_follow_each_other_without_a_seam(lab):
    assert js(
        lab,
        """
        const [one, two] = [noise(3000), noise(3000, 7)];
        const { out, heard } = await render(1, [[0, both(add(one), end(), add(two, "b"), end("b"))]]);
        const played = sounding(out)[1];
        const order = heard.flatMap(each => each.started ?? []);
        return same(played, Float32Array.from([...one, ...two])) && order.join() === "a,b";
        """,
    )


def test_a_stop_is_silent_within_5_ms_and_tells_what_was_played(lab):
    result = js(
        lab,
        """
        const sound = noise(24000);
        const { out, heard } = await render(2, [
            [0, both(add(sound), end())],
            [0.4, port => port.postMessage({stop: 1})],
        ]);
        const told = heard.find(one => one.stopped).played.get("a");
        const last = out.findLastIndex(one => one !== 0);
        return { told, last, same: same(out.slice(0, told), sound.slice(0, told)) };
        """,
    )
    assert result["same"]
    assert abs(result["told"] - 0.4 * RATE) <= 128
    assert result["told"] <= result["last"] + 1 <= result["told"] + 120


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100])
def test_the_microphone_loses_nothing_at_any_rate(lab, rate):
    """A tone through the capture worklet: in pieces of 40 ms, and not a sample away from the tone itself."""
    result = js(
        lab,
        f"""
        const rate = {rate}, context = new OfflineAudioContext(1, rate * 2, rate);
        await context.audioWorklet.addModule("/page/audio/capture.worklet.js");
        const tone = context.createBuffer(1, rate * 2, rate);
        tone.getChannelData(0).forEach((_, i, all) => (all[i] = Math.sin(2 * Math.PI * 440 * i / rate) / 2));
        const source = new AudioBufferSourceNode(context, {{buffer: tone}});
        const capture = new AudioWorkletNode(context, "capture", {{numberOfOutputs: 0}});
        const pieces = [];
        const enough = new Promise(done => (capture.port.onmessage = ({{data}}) =>
            pieces.push(data) >= 49 && done()));
        source.connect(capture);
        source.start();
        await context.startRendering();
        await enough;
        const heard = pieces.slice(0, 49).flatMap(piece => [...piece]); // The tone ends in the 50th.
        const wrong = heard.map((one, i) => Math.abs(one - Math.sin(2 * Math.PI * 440 * i / 24000) / 2));
        const sizes = [...new Set(pieces.map(piece => piece.length))];
        return {{ sizes, worst: Math.max(...wrong.slice(100)) }};
        """,
    )
    assert result["sizes"] == [960]
    assert result["worst"] < 0.001


def test_resampling_in_pieces_is_resampling_as_a_whole(lab):
    assert js(
        lab,
        """
        const { Resampler, resample } = await modules("resample");
        const sound = noise(5000), whole = resample(sound, 24000, 8000);
        const resampler = new Resampler(24000, 8000);
        const pieces = [];
        for (let at = 0, size = 1; at < sound.length; at += size, size = (size * 7) % 331) {
            pieces.push(...resampler.add(sound.slice(at, at + size)));
        }
        pieces.push(...resampler.flush());
        return whole.length === 1667 && same(Float32Array.from(pieces.slice(0, 1667)), whole);
        """,
    )


@pytest.mark.parametrize(("name", "law"), [("audio/pcmu", "mu-law"), ("audio/pcma", "A-law")])
def test_telephone_sound_is_the_servers(lab, name, law):
    """Every sample's code and every code's sample."""
    encoded, decoded = js(
        lab,
        f"""
        const {{ LAWS }} = await modules("g711"), law = LAWS["{name}"];
        const codes = Uint8Array.from({{length: 65536}}, (_, i) => law.encode(i - 32768));
        const {{ toBase64 }} = await modules("formats");
        return [toBase64(codes), [...law.decoded]];
        """,
    )
    assert base64.b64decode(encoded) == g711.encode(np.arange(-32768, 32768), law)
    assert decoded == g711.decode(bytes(range(256)), law).tolist()


def test_a_wav_that_the_page_writes_it_reads_again(lab):
    worst = js(
        lab,
        """
        const { readSound, toWav } = await modules("files");
        const sound = noise(24000), read = await readSound(toWav(sound));
        return read.length === 24000 && Math.max(...read.map((one, i) => Math.abs(one - sound[i])));
        """,
    )
    assert 0 < worst < 1e-4


def test_what_comes_while_the_speaker_is_being_stopped_is_not_played(lab):
    """The audio thread takes a moment to say how much was heard; meanwhile more comes of what was cut."""
    result = js(
        lab,
        """
        const { Speaking } = await import("/page/talk/speaking.js");
        let silent;
        const did = [], sent = [];
        const speaker = {
            items: ["old", "begun"],
            play: item => did.push(`play ${item}`),
            end: item => did.push(`end ${item}`),
            stop: () => new Promise(done => (silent = done)),
        };
        const speaking = new Speaking(speaker, event => sent.push([event.type, event.item_id]));
        const delta = item => speaking.delta({ item_id: item, delta: btoa("\\0\\0") });
        delta("begun");
        const stopped = speaking.stop();
        delta("begun");
        speaking.done({ item_id: "begun" });
        delta("next");
        silent(new Map([["old", 900], ["begun", 80]]));
        await stopped;
        speaking.done({ item_id: "next" });
        return { did, sent };
        """,
    )
    assert result["did"] == ["play begun", "play next", "end next"]
    assert [one for kind, one in result["sent"] if kind.endswith("truncate")] == ["old", "begun"]
