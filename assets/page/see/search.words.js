// Every word of the Search view. Names in braces are filled in.

import * as player from "./inside/player.words.js";

export const ENGLISH = {
  sentence: "Sentence",
  sentenceOption: "{number}. {text}",
  empty: "There is nothing to search yet: translate a sentence first.",
  left: "First search",
  right: "Second search",
  loading: "Searching…",
  failed: "This search could not be made.",
  again: "Try again",
  use: "Translate with these",
  differs: "Not in the other translation",

  way: "How to choose",
  ways: { beams: "Beams", sampling: "Sampling" },
  settings: {
    num_beams: "Beams",
    length_penalty: "Length penalty",
    temperature: "Temperature",
    top_k: "Top-k",
    top_p: "Top-p",
    seed: "Seed",
  },
  oneBeam: "1: greedy",
  allTokens: "all",
  draw: "Another draw",
  greedy: "Greedy",
  beamOf: "Beam of {beams}",
  beamWith: "Beam of {beams}, penalty {penalty}",
  samplingAt: "Sampling at {temperature}",

  figures: { total: "Log-probability", score: "Score", steps: "Steps" },
  figureTitles: {
    total: "Sum of the natural logarithms of its tokens' probabilities",
    score: "Log-probability, weighed by length: what finished translations are ranked by",
    steps: "How often the search went one token further, and how many tokens its translation has",
  },
  stepsOf: "{steps} for {tokens} tokens",

  happened: "What happened",
  remarks: {
    same: "Both arrive at the same sentence, token for token.",
    straight: "The likeliest token each time leads to it as well, so that looking further changed nothing.",
    partedGreedy:
      "They part at step {step}: {one} took {token} because it was likeliest there ({share}); {other} ended with " +
      "{otherToken} ({otherShare}).",
    parted: "They part at step {step}: {one} says {token} ({share}), {other} says {otherToken} ({otherShare}).",
    cutShort: "One goes on at step {step} where the other had stopped.",
    keptToo: "{beam} kept the sentence of {other} too, to its end.",
    stoppedBefore: "{beam} had stopped before it came to the end of the sentence of {other}.",
    neverKept: "{beam} had no room for the first token of {other}.",
    gaveUp: "{beam} had no path like that of {other} any more from step {step} on.",
    drawn: "{name} is decided by chance: another draw may say something else.",
    scoreBest: "In the end the sentence of {best} is the better by score: {most} against {least}.",
    scoreEven: "In the end the scores of {one} and {other} are as good as equal.",
    totalBest: "In the end the sentence of {best} is the likelier: log-probability {most} against {least}.",
    totalEven: "In the end the sentences of {one} and {other} are as good as equally likely.",
  },

  tree: "The tree of the search",
  treeOf: "Of",
  treeLabel: "Tree of the search. Left: the token before, right: what came after, up and down: others of the step.",
  treeNote:
    "A column is a step, its likeliest paths on top; below a dotted line, the likeliest of what was cut. Each " +
    "token has its probability and the log-probability of its path so far.",
  noTree: "There is no tree of this translation: its steps were not recorded.",
  pointHint: "Point at a token, or move with the arrow keys.",
  nodeFigures: "{token}: {share}, path so far {total}",
  nodeLabel: "Step {step}, {figures}. {fate}",
  fates: {
    wins: "On the path of the translation.",
    wentOn: "A path through here was kept until it ended, or the search did.",
    ended: "Ended here with a score of {score}: place {rank} of {of}.",
    stopped: "Stopped here at the most tokens allowed, unfinished: place {rank} of {of}.",
    givenUp:
      "Cut at step {step}: it stood at {total}, and nothing that it could go on with came up to the last that " +
      "stayed ({last}).",
    diesOut: "The last path through here was cut at step {step}.",
    cut: "Cut at step {step}: place {place} at best, {total} against {last} of the last that stayed.",
    lateEnd: "Not taken at step {step}: a path may end only among the best {beams}.",
    barred: "Not allowed at step {step}, though it was likelier than what stayed.",
    given: "Not taken at step {step}, where the token was given and not chosen.",
    undrawn: "Not drawn at step {step}.",
    unfinished:
      "Still open when the search stopped: it could have come to {most} at most, and place {rank} had {last}.",
    open: "Still open when the search stopped.",
  },
  legend: { winning: "path of the translation", pale: "given up, and at which step", ended: "ended, with its score" },
  inWords: "The tree in words",
  told: { row: "Kept", ended: "Ended", cut: "Cut" },

  replay: "Replay of the search",
  ...player.ENGLISH,

  nextAt: "What could have come at step {step}",
  after: "After “{before}”",
  nothingYet: "At the very beginning, after [CLS]",
  allOthers: "All others",
  isCut: "cut",
  eight: "The eight likeliest are shown, and all others together.",
  searched: "No chance plays a part: a search takes what is likeliest, for a token or for the whole sentence.",
  sampled:
    "First the temperature, then top-k, then top-p. Numbers: the chance of being drawn. Line: the model's own " +
    "probability. Hatched: cut.",
  estimated:
    "Estimate: how the others share their part is not known here; their weight is worked out from the entropy. " +
    "Numbers: the chance of being drawn. Line: the model's own probability. Hatched: cut.",

  ranking: "Finished translations",
  formula: "Score = log-probability ÷ length to the power of {penalty}; a length counts up to {source} tokens.",
  columns: { rank: "Place", text: "Translation", total: "Log-prob.", length: "Tokens", score: "Score" },
  movedFrom: "Was place {rank} in the search",
  unended: "unfinished",
  onlyOne: "With one finished translation, no penalty changes the order.",
  wouldWin:
    "With this penalty “{text}” comes first among these. The search itself may keep others then: it is made anew.",
  sameFirst: "The first place stays. Another penalty may also make the search stop earlier or later.",
};

export const MALAY = {
  sentence: "Ayat",
  sentenceOption: "{number}. {text}",
  empty: "Belum ada apa-apa untuk dicari: terjemahkan satu ayat dahulu.",
  left: "Carian pertama",
  right: "Carian kedua",
  loading: "Mencari…",
  failed: "Carian ini tidak dapat dibuat.",
  again: "Cuba lagi",
  use: "Terjemah dengan tetapan ini",
  differs: "Tiada dalam terjemahan yang satu lagi",

  way: "Cara memilih",
  ways: { beams: "Alur", sampling: "Pensampelan" },
  settings: {
    num_beams: "Alur",
    length_penalty: "Penalti panjang",
    temperature: "Suhu",
    top_k: "Top-k",
    top_p: "Top-p",
    seed: "Benih",
  },
  oneBeam: "1: tamak",
  allTokens: "semua",
  draw: "Cabutan lain",
  greedy: "Carian tamak",
  beamOf: "Carian {beams} alur",
  beamWith: "Carian {beams} alur, penalti {penalty}",
  samplingAt: "Pensampelan pada {temperature}",

  figures: { total: "Log kebarangkalian", score: "Skor", steps: "Langkah" },
  figureTitles: {
    total: "Jumlah logaritma asli kebarangkalian semua tokennya",
    score: "Log kebarangkalian yang ditimbang dengan panjang: asas kedudukan terjemahan yang siap",
    steps: "Berapa kali carian maju satu token, dan berapa token dalam terjemahannya",
  },
  stepsOf: "{steps} untuk {tokens} token",

  happened: "Apa yang berlaku",
  remarks: {
    same: "Kedua-duanya sampai ke ayat yang sama, token demi token.",
    straight:
      "Token yang paling berkemungkinan setiap kali juga membawa ke situ, jadi memandang lebih jauh tidak " +
      "mengubah apa-apa.",
    partedGreedy:
      "Kedua-duanya berpisah pada langkah {step}: {one} mengambil {token} kerana paling berkemungkinan di situ " +
      "({share}); {other} akhirnya dengan {otherToken} ({otherShare}).",
    parted:
      "Kedua-duanya berpisah pada langkah {step}: {one} menyebut {token} ({share}), {other} menyebut " +
      "{otherToken} ({otherShare}).",
    cutShort: "Satu daripadanya terus pada langkah {step}, sedangkan yang lain sudah berhenti.",
    keptToo: "{beam} turut menyimpan ayat daripada {other} hingga ke akhir.",
    stoppedBefore: "{beam} sudah berhenti sebelum sampai ke akhir ayat daripada {other}.",
    neverKept: "{beam} tidak ada ruang untuk token pertama daripada {other}.",
    gaveUp: "{beam} tidak lagi mempunyai laluan seperti {other} mulai langkah {step}.",
    drawn: "{name} ditentukan oleh nasib: cabutan lain mungkin menyebut yang lain.",
    scoreBest: "Akhirnya ayat daripada {best} lebih baik mengikut skor: {most} berbanding {least}.",
    scoreEven: "Akhirnya skor {one} dan {other} hampir sama.",
    totalBest: "Akhirnya ayat daripada {best} lebih berkemungkinan: log kebarangkalian {most} berbanding {least}.",
    totalEven: "Akhirnya ayat daripada {one} dan {other} hampir sama kemungkinannya.",
  },

  tree: "Pokok carian",
  treeOf: "Bagi",
  treeLabel:
    "Pokok carian. Kiri: token sebelumnya, kanan: yang berikutnya, atas dan bawah: yang lain pada langkah itu.",
  treeNote:
    "Satu lajur ialah satu langkah, laluan paling berkemungkinan di atas; di bawah garis bertitik, yang paling " +
    "berkemungkinan antara yang dibuang. Setiap token ada kebarangkaliannya dan log kebarangkalian laluannya " +
    "setakat itu.",
  noTree: "Tiada pokok bagi terjemahan ini: langkah-langkahnya tidak direkodkan.",
  pointHint: "Tuding pada token, atau gunakan kekunci anak panah.",
  nodeFigures: "{token}: {share}, laluan setakat ini {total}",
  nodeLabel: "Langkah {step}, {figures}. {fate}",
  fates: {
    wins: "Pada laluan terjemahan ini.",
    wentOn: "Satu laluan melalui sini disimpan hingga ia tamat, atau carian tamat.",
    ended: "Tamat di sini dengan skor {score}: tempat {rank} daripada {of}.",
    stopped: "Berhenti di sini pada had token, belum siap: tempat {rank} daripada {of}.",
    givenUp:
      "Dibuang pada langkah {step}: nilainya {total}, dan tiada sambungannya menyamai laluan terakhir yang kekal " +
      "({last}).",
    diesOut: "Laluan terakhir melalui sini dibuang pada langkah {step}.",
    cut:
      "Dibuang pada langkah {step}: paling baik di tempat {place}, {total} berbanding {last} bagi laluan " +
      "terakhir yang kekal.",
    lateEnd: "Tidak diambil pada langkah {step}: laluan hanya boleh tamat antara {beams} yang terbaik.",
    barred: "Tidak dibenarkan pada langkah {step}, walaupun lebih berkemungkinan daripada yang kekal.",
    given: "Tidak diambil pada langkah {step}; token di situ diberikan, bukan dipilih.",
    undrawn: "Tidak dicabut pada langkah {step}.",
    unfinished: "Masih terbuka apabila carian berhenti: paling tinggi {most}, sedangkan tempat {rank} sudah {last}.",
    open: "Masih terbuka apabila carian berhenti.",
  },
  legend: { winning: "laluan terjemahan", pale: "dibuang, dan pada langkah mana", ended: "tamat, dengan skornya" },
  inWords: "Pokok ini dalam kata-kata",
  told: { row: "Disimpan", ended: "Tamat", cut: "Dibuang" },

  replay: "Ulang tayang carian",
  ...player.MALAY,

  nextAt: "Yang mungkin muncul pada langkah {step}",
  after: "Selepas “{before}”",
  nothingYet: "Di permulaan sekali, selepas [CLS]",
  allOthers: "Yang lain",
  isCut: "dibuang",
  eight: "Lapan yang paling berkemungkinan ditunjukkan, dan semua yang lain bersama-sama.",
  searched:
    "Nasib tidak memainkan peranan: carian mengambil yang paling berkemungkinan, bagi satu token atau bagi " +
    "seluruh ayat.",
  sampled:
    "Suhu dahulu, kemudian top-k, kemudian top-p. Angka: peluang dicabut. Garis: kebarangkalian menurut model. " +
    "Berlorek: dibuang.",
  estimated:
    "Anggaran: cara yang lain berkongsi bahagiannya tidak diketahui di sini; pemberatnya dikira daripada " +
    "entropi. Angka: peluang dicabut. Garis: kebarangkalian menurut model. Berlorek: dibuang.",

  ranking: "Terjemahan yang siap",
  formula: "Skor = log kebarangkalian ÷ panjang kuasa {penalty}; panjang dikira setakat {source} token.",
  columns: { rank: "Tempat", text: "Terjemahan", total: "Log keb.", length: "Token", score: "Skor" },
  movedFrom: "Di tempat {rank} semasa carian",
  unended: "belum siap",
  onlyOne: "Dengan satu terjemahan siap, tiada penalti yang mengubah susunan.",
  wouldWin:
    "Dengan penalti ini “{text}” menjadi yang pertama antara ini. Carian itu sendiri mungkin menyimpan yang " +
    "lain: ia dibuat semula.",
  sameFirst: "Tempat pertama kekal. Penalti lain juga mungkin membuat carian berhenti lebih awal atau lebih lewat.",
};
