"""The words and sentence patterns of the synthetic headlines; every list runs from most to least frequent.

A pattern is text with slots in braces. A slot names a list below or a form of it (`nouns`, `verbing`, `verbed`,
`verbs`); with `a_` or `A_` before it the article is put in front. ` -- ` stands for an en dash between spaces.
"""

from typing import NamedTuple


class Topic(NamedTuple):
    """What headlines of one subject talk about."""

    nouns: tuple[str, ...]  # countable, singular
    masses: tuple[str, ...]  # without article or plural; the verb is singular
    adjectives: tuple[str, ...]
    verbs: tuple[str, ...]  # transitive, regular, base form
    langs: tuple[str, ...]
    settings: tuple[str, ...]  # where or how something is done
    suffixes: tuple[str, ...]  # ends of product names; "" for none


def _list(text: str) -> tuple[str, ...]:
    return tuple(" ".join(text.split()).split(", "))


DATABASES = Topic(
    _list("""database, index, query planner, table, transaction, B-tree, key-value store, storage engine,
        schema, snapshot, query, replica, write-ahead log, LSM tree, time-series store, materialized view,
        foreign key, lock manager, cursor, column store, bloom filter, vector index, trigger, graph database,
        hash join, stored procedure, page cache"""),
    _list("""Postgres, SQLite, SQL, full-text search, replication, query optimization, data modeling,
        horizontal scaling, Datalog, serializable isolation, change data capture, write amplification, schema
        migration, connection pooling, relational algebra, eventual consistency, columnar compression"""),
    _list("""distributed, embedded, relational, in-memory, append-only, transactional, read-only,
        denormalized, temporal, columnar, strongly consistent, ACID-compliant, immutable, geospatial,
        schemaless, multi-tenant"""),
    _list("query, migrate, shard, index, replicate, partition, restore, version, vacuum, compact, export, cache"),
    _list("SQL, Rust, Go, C, Java, Python, Zig, Clojure"),
    _list("""in production, at scale, in one file, on object storage, without downtime, on a single node, at
        the edge, under heavy load, in plain SQL, on cheap disks"""),
    _list("DB, , SQL, Store, Base, Query, KV"),
)
LEARNING = Topic(
    _list("""language model, neural network, transformer, dataset, classifier, embedding, GPU, training run,
        agent, prompt, benchmark, optimizer, tokenizer, diffusion model, chatbot, attention head, reward
        model, learning rate, decision tree, loss function, recommender, speech model, autoencoder, context
        window, checkpoint, LLM"""),
    _list("""machine learning, deep learning, reinforcement learning, gradient descent, inference,
        backpropagation, fine-tuning, speech recognition, computer vision, machine translation, in-context
        learning, interpretability, quantization, overfitting, data augmentation, AI safety, distillation"""),
    _list("""large, small, open, pretrained, multimodal, sparse, Bayesian, compact, self-supervised,
        recurrent, robust, linear-time, generative, interpretable, adversarial, low-rank"""),
    _list("train, fine-tune, evaluate, quantize, distill, compress, serve, benchmark, probe, align, scale, label"),
    _list("Python, C++, Julia, Rust, JAX, C, Mojo, Swift"),
    _list("""on a laptop, from scratch, on one GPU, with little data, at scale, on a phone, in the browser,
        offline, without labels, on a budget"""),
    _list("AI, , Net, LM, Mind, Former, ML"),
)
PROGRAMMING = Topic(
    _list("""compiler, type system, programming language, parser, debugger, macro, interpreter, function,
        monad, linter, garbage collector, code review, standard library, closure, regular expression, unit
        test, text editor, virtual machine, package manager, JIT compiler, data structure, hash table, borrow
        checker, coroutine, build system, state machine, syntax tree, language server, iterator, SSA pass"""),
    _list("""functional programming, type inference, error handling, pattern matching, garbage collection,
        refactoring, metaprogramming, technical debt, property-based testing, memory safety, static analysis,
        dependent typing, dead code elimination, test-driven development, structured concurrency, register
        allocation, inlining"""),
    _list("""statically typed, modular, incremental, lazy, generic, readable, concurrent, idiomatic, minimal,
        recursive, object-oriented, self-hosted, unsafe, tail-recursive, dynamically typed, higher-order"""),
    _list("""parse, compile, test, refactor, optimize, implement, annotate, design, lint, document, simplify,
        verify"""),
    _list("""Rust, Python, Go, C, Haskell, OCaml, Lisp, Zig, C++, Scheme, Elixir, Erlang, Forth, Prolog,
        Smalltalk, APL"""),
    _list("""from scratch, in a weekend, the hard way, without exceptions, at compile time, in legacy code, by
        hand, in constant time, with types, without recursion"""),
    _list("Lang, , Lisp, C, Script, Lint, Fmt"),
)
WEB = Topic(
    _list("""website, browser, web app, framework, JavaScript library, static site, API, web component, form,
        cookie, RSS feed, blog, single-page app, CSS grid, search engine, URL, service worker, web font, HTML
        page, bundler, landing page, browser extension, dark mode toggle, comment section, cache header,
        dialog, carousel"""),
    _list("""CSS, JavaScript, HTML, server-side rendering, WebAssembly, web performance, accessibility,
        progressive enhancement, TypeScript, responsive design, client-side routing, hydration,
        internationalization, HTTP caching, search engine optimization, typography, web scraping"""),
    _list("""fast, static, accessible, responsive, headless, lightweight, server-rendered, reactive,
        hand-written, dependency-free, ad-free, offline-first, isomorphic, single-file, HTML-first, text-only"""),
    _list("render, cache, style, load, animate, bundle, translate, crawl, lazy-load, publish, redesign, archive"),
    _list("JavaScript, TypeScript, PHP, Ruby, Elm, Python, Go, Elixir"),
    _list("""in the browser, without JavaScript, on slow connections, on mobile, in pure CSS, on a static
        host, at the edge, without a framework, in one request, with no build step"""),
    _list(".js, , Kit, UI, Press, Page, CSS"),
)
SYSTEMS = Topic(
    _list("""kernel, container, operating system, file system, scheduler, process, allocator, server, shell
        script, thread, system call, terminal, virtual machine, device driver, cron job, memory leak,
        unikernel, message queue, mutex, boot loader, cluster, hypervisor, log file, config file, Unix pipe,
        ring buffer, init system, outage"""),
    _list("""Linux, observability, virtual memory, concurrency, eBPF, backpressure, POSIX, load balancing,
        monitoring, systems programming, infrastructure as code, FreeBSD, capacity planning, on-call work,
        continuous deployment, lock contention, tail latency"""),
    _list("""lock-free, real-time, reproducible, minimal, fault-tolerant, stateless, POSIX-compliant,
        preemptive, zero-copy, immutable, rootless, asynchronous, single-threaded, declarative, user-space,
        event-driven"""),
    _list("""deploy, monitor, trace, boot, profile, isolate, restart, automate, schedule, sandbox, provision,
        containerize"""),
    _list("C, Rust, Go, Zig, Bash, C++, Ada, Nix"),
    _list("""in production, on bare metal, at scale, on Linux, without root, in user space, at midnight, on a
        cheap server, with zero downtime, in a container"""),
    _list("OS, , FS, D, Shell, Box, Ctl"),
)
SECURITY = Topic(
    _list("""password, vulnerability, encryption key, certificate, firewall, hash function, phishing email,
        exploit, buffer overflow, password manager, signature, side channel, secret, backdoor, security audit,
        passkey, botnet, hardware token, zero-day, random number generator, bug bounty, threat model, VPN, SSH
        key, access log, sandbox"""),
    _list("""cryptography, end-to-end encryption, privacy, malware analysis, taint analysis, threat modeling,
        key exchange, TLS, supply chain security, two-factor authentication, homomorphic encryption, reverse
        engineering, spam filtering, incident response, memory tagging, certificate transparency, social
        engineering"""),
    _list("""encrypted, secure, anonymous, post-quantum, leaked, zero-knowledge, hardened, open-source,
        forged, constant-time, short-lived, ephemeral, decentralized, tamper-proof, authenticated, unpatched"""),
    _list("sign, audit, protect, revoke, detect, verify, patch, fuzz, rotate, harden, disclose, store"),
    _list("C, Rust, Go, Python, Assembly, Ada, Java, OCaml"),
    _list("""in the wild, by default, at rest, without trust, in plain sight, over TLS, in open source, on old
        phones, with formal methods, under attack"""),
    _list("Vault, , Guard, Key, Crypt, Lock, Sec"),
)
STARTUPS = Topic(
    _list("""startup, founder, side project, customer, product, business model, remote team, engineer, SaaS
        company, meeting, job interview, investor, newsletter, pricing page, roadmap, cofounder, manager,
        sales call, hiring process, customer survey, pitch deck, open office, freelancer, term sheet,
        subscription, layoff, MVP, user"""),
    _list("""remote work, product-market fit, venture capital, burnout, hiring, pricing, customer support,
        growth, marketing, open-source funding, equity compensation, technical writing, employee onboarding,
        content marketing, bootstrapping, work-life balance, cold email"""),
    _list("""profitable, bootstrapped, early-stage, small, self-funded, remote, one-person, honest, failed,
        fast-growing, enterprise, niche, recurring, unprofitable, asynchronous, boring"""),
    _list("launch, fund, pitch, survey, relaunch, expand, manage, validate, interview, mentor, promote, attract"),
    _list("Python, Ruby, TypeScript, PHP, Excel, JavaScript, Elixir, Go"),
    _list("""on a budget, without investors, from a small town, in a recession, before launch, after work,
        across time zones, in public, with two people, in hard times"""),
    _list("ly, , Hub, Desk, Pay, Flow, Work"),
)
HARDWARE = Topic(
    _list("""chip, keyboard, processor, microcontroller, circuit board, battery, FPGA, sensor, laptop, 3D
        printer, robot, SSD, transistor, oscilloscope, USB cable, radio, instruction set, mechanical watch,
        e-reader, power supply, LED, solar panel, game console, synthesizer, amplifier, soldering iron, floppy
        disk, vacuum tube, MCU"""),
    _list("""RISC-V, soldering, branch prediction, chip design, thermal design, Bluetooth, embedded
        programming, Verilog, power management, software-defined radio, error correction, ECC memory, 3D
        printing, retrocomputing, right to repair, analog computing, wireless charging"""),
    _list("""tiny, open-source, low-power, 8-bit, homemade, mechanical, solar-powered, vintage, modular,
        repairable, analog, hand-soldered, e-ink, off-the-shelf, water-cooled, out-of-order"""),
    _list("""repair, prototype, power, overclock, assemble, connect, restore, measure, cool, emulate, charge,
        salvage"""),
    _list("C, Verilog, Assembly, Rust, Forth, MicroPython, C++, Ada"),
    _list("""at home, on a breadboard, for under $20, in a garage, by hand, without a datasheet, on one coin
        cell, in the kitchen, from spare parts, at low voltage"""),
    _list("Board, , Core, Pi, Duino, Chip, V"),
)
SCIENCE = Topic(
    _list("""protein, experiment, brain cell, gene, virus, quantum computer, enzyme, catalyst, fossil,
        vaccine, microbe, ocean current, crystal, particle, forest, superconductor, octopus, laser, neuron,
        clinical trial, microscope, glacier, honeybee, isotope, earthquake, replication study, antibody,
        ecosystem, MRI scan"""),
    _list("""climate modeling, quantum mechanics, evolution, protein folding, peer review, gene editing,
        sleep, statistics, fluid dynamics, nuclear fusion, photosynthesis, game theory, neuroscience,
        thermodynamics, carbon capture, causal inference, number theory"""),
    _list("""ancient, synthetic, quantum, marine, microscopic, rare, magnetic, edible, deep-sea,
        room-temperature, genetic, antibiotic-resistant, self-healing, bioluminescent, migratory, extinct"""),
    _list("""observe, simulate, measure, explain, classify, predict, discover, replicate, imitate, sequence,
        track, model"""),
    _list("Python, Julia, R, Fortran, C++, Matlab, Haskell, Octave"),
    _list("""in the lab, at room temperature, in the deep sea, in cold water, under a microscope, in the
        Arctic, in the wild, near absolute zero, over 30 years, in slow motion"""),
    _list("Lab, , Sim, Gen, Bio, Stat, Fold"),
)
GRAPHICS = Topic(
    _list("""shader, game engine, renderer, texture, font, pixel, ray tracer, mesh, animation, voxel engine,
        color palette, map projection, video codec, particle system, image format, chart, sprite, light
        source, noise function, physics engine, point cloud, typeface, Möbius strip, user interface, spline,
        icon, infinite canvas"""),
    _list("""ray tracing, procedural generation, computer graphics, color theory, anti-aliasing, game
        development, WebGPU, data visualization, path tracing, image compression, texture mapping, pixel art,
        motion capture, global illumination, font rendering, Voronoi tessellation, dithering"""),
    _list("""procedural, real-time, realistic, pixelated, stylized, isometric, open-world, physically based,
        interactive, hand-drawn, infinite, GPU-driven, volumetric, monochrome, low-poly, subpixel"""),
    _list("""render, animate, compress, generate, texture, simulate, sketch, rasterize, illuminate, visualize,
        smooth"""),
    _list("C++, GLSL, Rust, JavaScript, C, Zig, Lua, Processing"),
    _list("""in the browser, on the GPU, in real time, at 60 frames a second, in two dimensions, in one
        shader, in ASCII, without triangles, on old consoles, with pen and paper"""),
    _list("GL, , Engine, 3D, Draw, Pix, Ray"),
)
NETWORKS = Topic(
    _list("""protocol, network, router, packet, DNS server, load balancer, proxy, mesh network, consensus
        algorithm, socket, email server, IP address, mailing list, undersea cable, domain name, gateway, chat
        server, HTTP request, federated service, congestion window, peer, time server, RPC, tunnel, hash ring,
        UDP datagram, XML feed"""),
    _list("""TCP, DNS, IPv6, QUIC, peer-to-peer networking, routing, congestion control, distributed
        consensus, net neutrality, email deliverability, Wi-Fi, clock synchronization, anycast, packet loss,
        content delivery, gossip, WebRTC"""),
    _list("""decentralized, wireless, homegrown, peer-to-peer, federated, encrypted, low-latency, Byzantine,
        multicast, idempotent, end-to-end, high-bandwidth, unreliable, asymmetric, intermittent,
        interplanetary"""),
    _list("""route, resolve, measure, trace, balance, proxy, intercept, filter, self-host, inspect,
        synchronize, throttle"""),
    _list("Go, Erlang, Rust, C, Elixir, Java, Python, OCaml"),
    _list("""at home, over satellite, behind a firewall, across continents, over IPv6, on unreliable links, in
        rural areas, without a server, under packet loss, at line rate"""),
    _list("Net, , Mesh, Link, Wire, MQ, Proxy"),
)
SPACE = Topic(
    _list("""rocket, satellite, telescope, asteroid, black hole, exoplanet, rover, galaxy, space station,
        comet, moon base, orbit, launch vehicle, star, lander, gravitational wave, space probe, solar sail,
        supernova, spacesuit, ion engine, ground station, heat shield, neutron star, meteorite, nebula,
        cubesat"""),
    _list("""space exploration, orbital mechanics, dark matter, radio astronomy, space debris,
        astrophotography, spaceflight, cosmic radiation, deep space communication, reentry, stellar evolution,
        gravitational lensing, planetary science, asteroid mining, dark energy, space weather, celestial
        navigation"""),
    _list("""reusable, distant, interstellar, orbital, tiny, lunar, uncrewed, ancient, habitable,
        supermassive, cryogenic, solar-powered, amateur, infrared, geostationary, Earth-sized"""),
    _list("launch, observe, land, photograph, track, orbit, navigate, detect, recover, explore, dock, calibrate"),
    _list("C, Ada, Python, Fortran, Rust, Assembly, Lisp, C++"),
    _list("""in low Earth orbit, on the Moon, from the backyard, at the South Pole, on Mars, near Jupiter, in
        deep space, beyond the solar system, from Earth, in zero gravity"""),
    _list("Sat, , Orbit, One, Sky, Probe, X"),
)
TOPICS = (
    PROGRAMMING,
    LEARNING,
    WEB,
    SYSTEMS,
    DATABASES,
    SECURITY,
    STARTUPS,
    HARDWARE,
    SCIENCE,
    NETWORKS,
    GRAPHICS,
    SPACE,
)

SHARED = {
    "year": tuple(str(2024 - rank) for rank in range(25)),
    "role": _list("""developer, engineer, programmer, founder, student, designer, manager, hobbyist,
        researcher, beginner"""),
    "tool": _list("""tool, library, toolkit, simulator, explorer, visualizer, generator, tracker, playground,
        inspector, editor, checker, cookbook, API, dashboard, emulator"""),
    "audience": _list("""beginners, programmers, the impatient, kids, busy people, skeptics, the rest of us,
        artists, mathematicians, small teams, grown-ups, the naïve, absolute beginners, teachers"""),
    "who": _list("""solo developer, physicist, student, retired engineer, teacher, librarian, teenager,
        biologist, volunteer, amateur, musician, farmer"""),
    "opinion": _list("""hard, underrated, harder than it looks, still hard, worth it, not magic, back, not
        enough, changing, overrated, more than a cliché, misunderstood, not what you think, broken, beautiful,
        déjà vu"""),
    "quality": _list("""cost, design, future, limits, complexity, art, economics, theory, mathematics, beauty,
        anatomy, unreasonable effectiveness, evolution, reliability"""),
    "place": _list("""Berlin, Zürich, Tokyo, Malmö, São Paulo, Kraków, Nairobi, Montréal, Oslo, Bogotá,
        Taipei, Tromsø"""),
    "count": _list("10, 5, 3, 7, 2, 20, 100, 6, 12, 4, 8, 15, 30, 9, 50, 25, 40"),
    "big": _list("""1 million, 10,000, 1,000, 1 billion, 100k, 10 million, 500, 50k, 3 million, 2,500, 80,000,
        1.5 million"""),
    "factor": _list("10x, 2x, 100x, 3x, 5x, 20x, 1000x, 4x, 50x, 8x, 1.5x, 7x, 40x"),
    "size": _list("64 KB, 1 MB, 4 KB, 100 bytes, 512 bytes, 8 KB, 140 characters, 2 KB, 16 MB, 1.44 MB, 256 bytes"),
    "part": _list("""part 1, part 2, a retrospective, a case study, a visual guide, a post-mortem, part 3, a
        primer, myths and facts, the missing manual, a love story, a naïve approach"""),
}

NAME_STARTS = _list("""Ver, Lum, Tar, Orin, Quar, Hel, Nim, Cor, Zan, Bel, Alt, Mor, Fen, Kel, Sol, Drav, Pel,
    Ras, Umb, Tol, Gal, Wren, Ekt, Vol, Brin, Hal, Jun, Myr, Osk, Cael, Thal, Plov, Ryn, Eld, Strav, Yar,
    Krod, Ibez""")
NAME_MIDDLES = _list("am, or, el, ul, en, ar, il, av, er, ant, un, ev, ost, im, ol, ad, ebr, od")
NAME_ENDS = _list("""ix, on, a, or, um, is, eo, ent, ara, in, ock, ell, yx, ane, ium, eda, olt, und, ova, est,
    ump, ift, olo, arn, ith, ade, ux, ong, ery, ask""")

# Beginnings of words whose first sound differs from what their first letter suggests, in lower case.
AN_BEFORE = _list("8-, fpga, honest, html, http, led, llm, lsm, mcu, mri, mvp, rpc, rss, ssa, ssd, ssh, xml")
A_BEFORE = _list("one-, udp, unik, unit, unix, url, usb, user")
LOWER_IN_TITLE_CASE = _list("a, an, and, as, at, by, for, from, in, into, of, on, or, the, to, vs., with")

ASKS = (
    "How do you {verb} your {nouns} {setting}?",
    "What is the best way to learn {mass}?",
    "Is {mass} worth learning in {year}?",
    "Which {noun} {tool} do you use {setting}?",
    "What are the best books on {mass} for {audience}?",
    "Is anyone using {lang} for {mass}?",
    "What happened to {adj} {nouns}?",
    "How did you {verb} your first {noun}?",
    "Should I use {product} or write my own {noun} {tool}?",
    "Do you still {verb} {adj} {nouns} {setting}?",
    "How does {a_role} get started with {mass}?",
    "Why are there so few {adj} {nouns}?",
    "Who else is tired of {adj} {nouns}?",
    "Is there {a_adj} {noun} {tool} for {roles}?",
)
SHOWS = (
    "{product} -- {a_adj} {noun} {tool} written in {lang}",
    "{product} -- {verb} your {nouns} {setting}",
    "{product} -- an open-source {noun} {tool} for {roles}",
    "I built {a_noun} {tool} to {verb} {adj} {nouns}",
    "{product} -- {mass} in {count} lines of {lang}",
    "{product} -- {a_noun} {tool} for {audience}",
    "{product} {version} -- now with {adj} {nouns}",
    "{product} -- {a_tool} that {verbs} your {nouns}",
    "{product} -- {adj} {mass} for {roles}",
    "{product} -- {verb} {nouns} with {mass}",
)
STORIES = (
    "{verbing} {adj} {nouns} with {lang}",
    "How we {verbed} our {nouns} {setting}",
    "{product}: {A_adj} {noun} {tool} written in {lang}",
    "The {quality} of {mass} and {mass}",
    "Why {mass} is {opinion}",
    "How {adj} {nouns} work {setting}",
    "{product} {version} released with {adj} {nouns}",
    "Why we {verbed} our {nouns} with {mass}",
    "{mass} is {opinion}: The trouble with {adj} {nouns}",
    "I built {a_adj} {noun} {tool} {setting}",
    "What every {role} should know about {mass}",
    "{adj} {mass} {setting}: {part}",
    "{count} lessons from {verbing} {nouns} {setting}",
    "An introduction to {mass} for {audience}",
    "{verbing} {big} {nouns} with {product}",
    "You don't need {a_adj} {noun} {setting}",
    "Your {nouns} are {opinion}",
    "{mass} and {adj} {nouns}: {part}",
    "{verbing} {nouns} {factor} faster {setting}",
    "The {noun} {tool} that {verbed} {big} {nouns}",
    "Understanding {mass} from first principles",
    "{adj} {nouns} considered harmful",
    "A brief history of {mass}",
    "In praise of {adj} {nouns} {setting}",
    "{nouns} vs. {nouns}: Which is better for {mass}?",
    "{A_who} {verbed} {a_adj} {noun} {setting}",
    "The rise and fall of {adj} {nouns}",
    "Researchers in {place} {verb} {adj} {nouns} {setting}",
    "I {verbed} {big} {nouns}. Here is what I learned",
    "New {noun} {tool} {verbs} {nouns} without {mass}",
    "Stop calling it '{adj} {mass}'",
    "{product} makes {verbing} {nouns} {factor} faster",
    "{product} {version} is out -- what is new in {again}",
    "Is {mass} the future of {mass}?",
    "Writing {a_noun} {tool} in {count} lines of {lang}",
    "The case against {adj} {nouns} {setting}",
    "Lessons from {count} years of {mass}",
    "The state of {mass} in {year}",
    "A field guide to {adj} {nouns}",
    "{mass} without {nouns}",
    "Fitting {a_adj} {noun} {tool} into {size}",
    "'{mass} is {opinion}': An interview with {a_who}",
    "We moved our {noun} {tool} from {lang} to {lang}",
    "Why {roles} love {adj} {nouns}",
    "Rewriting {a_noun} {tool} in {lang} -- {count} months later",
    "Notes from {a_mass} meetup in {place}",
    "From {noun} to {noun} in {count} weeks",
    "Are {adj} {nouns} worth it?",
    "The naïve {noun} is faster than you think",
    "Why I use {product} and {verb} my own {nouns}",
    "Beyond {nouns}: {adj} {mass} {setting}",
    "{A_adj} {noun} {tool} in {size} -- and {count} lines of {lang}",
    "Everything I got wrong about {mass}",
    "From {lang} to {product}: {mass} in {year}",
)
PAPERS = (
    "{adj} {mass} for {adj} {nouns}",
    "{product}: {A_tool} for {verbing} {adj} {nouns}",
    "On the {quality} of {adj} {nouns}",
    "{verbing} {adj} {nouns} with {mass}",
    "Towards {adj} {mass} {setting}",
    "A survey of {adj} {nouns} and {mass}",
    "Rethinking {mass} in the age of {adj} {nouns}",
    "{mass} and the {quality} of {nouns}",
    "{A_adj} approach to {verbing} {nouns}",
    "{product}: {verbing} {adj} {nouns} {setting}",
    "How not to {verb} {a_adj} {noun}",
    "A Poincaré-style view of {mass}",
)
