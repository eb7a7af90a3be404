// Every word of the Break it view, but what the server says of the parts in English. Names in braces are filled in.

export const ENGLISH = {
  locale: "en",
  pick: "From your text",
  sentence: "Sentence",
  run: "Compare",
  example: "The black cat sleeps under an old wooden table.",
  loading: "Translating with both models…",
  failed: "The two could not be compared.",
  again: "Try again",

  choose: "Break the model",
  reset: "Mend everything",
  groups: {
    positions: "Positions",
    masks: "The causal mask",
    arithmetic: "The arithmetic of attention",
    stream: "Residuals and normalisation",
    blocks: "Heads and blocks",
  },
  tutorial: "a fault of the tutorial’s code",
  parts: {
    no_positions: { name: "No positions" },
    wrong_positions: { name: "Wrong positions" },
    no_causal_mask: { name: "No mask" },
    inverted_causal_mask: { name: "Mask upside down" },
    no_head: { name: "One head silent" },
    no_layer: { name: "One block skipped" },
    repeated_block: { name: "One block in every place" },
    raw_scores: { name: "Raw scores, no softmax" },
    no_scaling: { name: "Scores not scaled" },
    no_cross_attention: { name: "No cross-attention" },
    no_residual: { name: "No residuals" },
    no_norm: { name: "No normalisation" },
    scalar_gain: { name: "One gain for all features" },
  },
  whichHead: "{name}: {kind}, block {layer}, head {head}",
  whichBlock: "{name}: {kind}, block {layer}",
  lookFor: "What to look for",
  nothing: "Nothing is broken: both are the same model. Switch something on above.",
  replaced: "“{gone}” is off now: it cannot be combined with “{name}”.",

  map: "Map of the model: choose a head to silence or a block to skip",
  mapNote: "Choose a head to silence, or a block to skip:",
  stacks: { encoder: "Encoder", decoder: "Decoder" },
  short: { encoder: "self", decoder: "self", cross: "cross" },
  skip: "Skip block {layer} of the {stack}",
  silence: "Silence head {head} of block {layer}, {kind}",

  caveat:
    "This is what the trained weights do without the part. A model trained without it would have learnt to do with " +
    "what there is, and would mostly do better.",
  sides: { whole: "The whole model", broken: "The broken model" },
  verdicts: {
    whole: "As it was trained. It says {count} tokens.",
    same: "It says the same.",
    differs: "Gone: {gone} of the whole model’s {of} words and signs. New: {added}.",
    silent: "It says nothing: it ends the sentence at once.",
    stopped: "It finds no end and was stopped after {count} tokens.",
    loops: "It repeats itself, finds no end and was stopped after {count} tokens.",
  },
  englishTokens: "English tokens",
  token: "{token}: {share} sure",
  tokenNext: "{token}: {share} sure; next {other}, {otherShare}",
  englishToken: "English token {token}",
  differs: {
    whole: "{token}: {share} sure; the broken model does not say this word",
    broken: "{token}: {share} sure; the whole model does not say this word",
  },
  hintToken: "Point at a token to see how sure the model was of it.",
  scaleNote: "From 0 % to 100 % sure. Underlined: words that the other model does not say.",

  attention: "What they look at",
  kind: "Between",
  kinds: { encoder: "English → English", decoder: "Malay → Malay", cross: "Malay → English" },
  kindTitles: {
    encoder: "Encoder self-attention",
    decoder: "Decoder self-attention",
    cross: "Cross-attention",
  },
  layer: "Block",
  head: "Head",
  mean: "Mean",
  meanTitle: "Mean of this block’s heads",
  whereHead: "block {layer}, head {head}",
  whereMean: "block {layer}, mean of its heads",
  mapLabel: "{side}: {kind}, {where}. Rows attend, columns are attended to. Arrow keys move between cells.",
  axes: {
    encoder: "Each row is an English token; its columns, the English it looked at.",
    decoder: "Each row is a Malay token being chosen; its columns, what was said. Hatched: masked.",
    cross: "Each row is a Malay token being chosen; its columns, the English it looked at.",
  },
  cell: {
    encoder: "{row} looked at {column}: {share}",
    decoder: "Choosing {row}, it looked at {column}: {share}",
    cross: "Choosing {row}, it looked at {column}: {share}",
  },
  rawCell: "{row} counts {column} {score} times",
  masked: "{column} is masked: it was not yet said when {row} was chosen",
  rowOnly: "Row: {row}",
  columnOnly: "Column: {column}",
  hint: "Point at a cell, or move with the arrow keys.",
  rawNote: "Raw scores: rows do not add up to 100 %, and weights may be negative.",
  noWeight: "Nothing is attended to here: every weight is zero.",
  legend: "Weight",
  legendRaw: "Score",
  zero: "blank: 0",
};

export const MALAY = {
  locale: "ms",
  pick: "Daripada teks anda",
  sentence: "Ayat",
  run: "Bandingkan",
  example: "The black cat sleeps under an old wooden table.",
  loading: "Menterjemah dengan kedua-dua model…",
  failed: "Kedua-duanya tidak dapat dibandingkan.",
  again: "Cuba lagi",

  choose: "Rosakkan model",
  reset: "Baiki semuanya",
  groups: {
    positions: "Kedudukan",
    masks: "Topeng kausal",
    arithmetic: "Aritmetik perhatian",
    stream: "Baki dan penormalan",
    blocks: "Kepala dan blok",
  },
  tutorial: "kesilapan dalam kod tutorial",
  parts: {
    no_positions: {
      name: "Tiada kedudukan",
      removed: "Kedudukan tidak ditambah pada pembenaman: model membaca perkataan tanpa susunan.",
      look_for:
        "Susunan kata. Siapa berbuat apa kepada siapa hanya diteka, dan apa yang sudah disebut mudah disebut lagi.",
    },
    wrong_positions: {
      name: "Kedudukan salah",
      removed:
        "Frekuensi kedudukan ialah exp(2i) * -log(10000) / D, bukan exp(2i * -log(10000) / D): satu kurungan ditutup " +
        "terlalu awal.",
      look_for:
        "Susunan kata dan perkataan yang disebut dua kali, seperti tanpa kedudukan: semua lajur kecuali beberapa " +
        "yang pertama berputar terlalu jauh dari kata ke kata hingga tiada pola yang tinggal. Dalam kejituan tunggal " +
        "angkanya melimpah, dan kebanyakan jadual bukan lagi nombor.",
    },
    no_causal_mask: {
      name: "Tiada topeng",
      removed: "Perkataan dalam terjemahan turut memberi perhatian kepada perkataan selepasnya.",
      look_for:
        "Selalunya sedikit sahaja. Yang menentukan perkataan seterusnya ialah perkataan terakhir, dan tiada apa-apa " +
        "selepasnya; hanya cara perkataan sebelumnya dibaca yang berubah. Latihanlah yang memerlukan topeng: " +
        "tanpanya model akan meniru perkataan yang sepatutnya diramal. Dalam perhatian penyahkod ada pemberat di " +
        "atas pepenjuru.",
    },
    inverted_causal_mask: {
      name: "Topeng terbalik",
      removed: "Topeng terbalik: perkataan dalam terjemahan hanya memberi perhatian kepada perkataan selepasnya.",
      look_for:
        "Perkataan yang dimulakan dua kali. Tiada apa-apa selepas perkataan terakhir, jadi ia memandang semua " +
        "perkataan sama rata, dan perkataan sebelumnya tidak pernah melihat apa yang mendahuluinya. Perhatian " +
        "penyahkod ialah bayangan cermin daripada yang sepatutnya.",
    },
    no_head: {
      name: "Satu kepala senyap",
      removed: "Satu kepala perhatian senyap.",
      look_for:
        "Biasanya tiada apa-apa: kepala lain membuat kerjanya (Michel et al., 2019). Jika terjemahan berubah, kepala " +
        "itu mempunyai tugasnya sendiri.",
    },
    no_layer: {
      name: "Satu blok dilangkau",
      removed: "Satu blok dilangkau.",
      look_for:
        "Yang ditambahnya kini tiada. Makin sedikit blok dalam satu tindanan, makin besar kesan kehilangan setiap " +
        "satu.",
    },
    repeated_block: {
      name: "Satu blok di semua tempat",
      removed:
        "Blok pertama menggantikan semua blok lain, seolah-olah satu objek dimasukkan berkali-kali ke dalam senarai.",
      look_for:
        "Karut yang berulang: tindanan yang melakukan satu perkara berkali-kali, sedangkan setiap blok sepatutnya " +
        "menyambung hasil blok sebelumnya.",
    },
    raw_scores: {
      name: "Skor mentah, tanpa softmax",
      removed: "Nilai dijumlahkan mengikut skor mentah yang tidak pernah dijadikan pemberat oleh softmax.",
      look_for:
        "Karut: skor boleh positif atau negatif dan sebesar mana pun, dan lebih banyak perkataan memberi jumlah " +
        "lebih besar. Baris perhatian tidak berjumlah satu, dan sesetengah pemberat negatif.",
    },
    no_scaling: {
      name: "Skor tidak diskalakan",
      removed: "Skor tidak dibahagi dengan punca kuasa dua lebar kepala.",
      look_for:
        "Hampir semua perhatian tertumpu pada satu perkataan. Terjemahan berubah kurang daripada yang disangka: " +
        "sebahagian besarnya bergantung pada perkataan yang paling berkemungkinan. Pembelajaran lebih terjejas, " +
        "kerana pemberat 0 dan 1 tidak menghantar kecerunan.",
    },
    no_cross_attention: {
      name: "Tiada perhatian silang",
      removed: "Penyahkod tidak melihat ayat sumber.",
      look_for:
        "Terjemahan yang sama bagi setiap ayat: cara ayat Melayu lazimnya bermula, dan sambungan yang lazim baginya.",
    },
    no_residual: {
      name: "Tiada sambungan baki",
      removed: "Hasil sublapisan menggantikan apa yang masuk, sedangkan ia sepatutnya ditambah padanya.",
      look_for:
        "Satu token berulang kali. Yang ditambah oleh setiap blok kecil berbanding perkataan itu sendiri, dan tidak " +
        "bermakna tanpanya.",
    },
    no_norm: {
      name: "Tiada penormalan",
      removed: "Lapisan tidak menormalkan: nombor diteruskan sebesar atau sekecil mana pun.",
      look_for:
        "Satu perkataan berulang kali. Setiap blok dilatih dengan nombor satu saiz dan kini mendapat saiz lain.",
    },
    scalar_gain: {
      name: "Satu gandaan bagi semua ciri",
      removed:
        "Setiap penormalan lapisan mempunyai satu gandaan bagi semua ciri, di sini purata yang telah dipelajari.",
      look_for:
        "Kehilangan kecil: satu perkataan tertinggal, bentuk lain. Ciri yang sepatutnya didengar lebih kuat atau " +
        "lebih perlahan kini sama kuat.",
    },
  },
  whichHead: "{name}: {kind}, blok {layer}, kepala {head}",
  whichBlock: "{name}: {kind}, blok {layer}",
  lookFor: "Yang perlu diperhatikan",
  nothing: "Tiada yang rosak: kedua-duanya model yang sama. Hidupkan satu suis di atas.",
  replaced: "“{gone}” kini dimatikan: ia tidak dapat digabungkan dengan “{name}”.",

  map: "Peta model: pilih kepala untuk disenyapkan atau blok untuk dilangkau",
  mapNote: "Pilih kepala untuk disenyapkan, atau blok untuk dilangkau:",
  stacks: { encoder: "Pengekod", decoder: "Penyahkod" },
  short: { encoder: "kendiri", decoder: "kendiri", cross: "silang" },
  skip: "Langkau blok {layer} {stack}",
  silence: "Senyapkan kepala {head} dalam blok {layer}, {kind}",

  caveat:
    "Inilah yang dilakukan oleh pemberat terlatih tanpa bahagian itu. Model yang dilatih tanpanya akan belajar " +
    "menggunakan apa yang ada, dan kebanyakannya akan lebih baik.",
  sides: { whole: "Model lengkap", broken: "Model rosak" },
  verdicts: {
    whole: "Seperti yang dilatih. Ia menyebut {count} token.",
    same: "Katanya sama.",
    differs: "Hilang: {gone} daripada {of} perkataan dan tanda model lengkap. Baharu: {added}.",
    silent: "Ia tidak berkata apa-apa: ayat terus ditamatkan.",
    stopped: "Ia tidak tahu bila hendak berhenti dan dihentikan selepas {count} token.",
    loops: "Ia mengulang-ulang, tidak tahu bila hendak berhenti dan dihentikan selepas {count} token.",
  },
  englishTokens: "Token bahasa Inggeris",
  token: "{token}: {share} pasti",
  tokenNext: "{token}: {share} pasti; kemudian {other}, {otherShare}",
  englishToken: "Token Inggeris {token}",
  differs: {
    whole: "{token}: {share} pasti; model rosak tidak menyebut perkataan ini",
    broken: "{token}: {share} pasti; model lengkap tidak menyebut perkataan ini",
  },
  hintToken: "Tuding pada token untuk melihat sejauh mana model pasti.",
  scaleNote: "Dari 0 % hingga 100 % pasti. Bergaris bawah: perkataan yang tidak disebut oleh model yang satu lagi.",

  attention: "Yang dipandang oleh kedua-duanya",
  kind: "Antara",
  kinds: { encoder: "Inggeris → Inggeris", decoder: "Melayu → Melayu", cross: "Melayu → Inggeris" },
  kindTitles: {
    encoder: "Perhatian kendiri pengekod",
    decoder: "Perhatian kendiri penyahkod",
    cross: "Perhatian silang",
  },
  layer: "Blok",
  head: "Kepala",
  mean: "Purata",
  meanTitle: "Purata semua kepala dalam blok ini",
  whereHead: "blok {layer}, kepala {head}",
  whereMean: "blok {layer}, purata semua kepala",
  mapLabel: "{side}: {kind}, {where}. Baris memberi perhatian, lajur menerimanya. Anak panah bergerak antara petak.",
  axes: {
    encoder: "Setiap baris ialah token Inggeris; lajurnya, token Inggeris yang dipandangnya.",
    decoder: "Setiap baris ialah token Melayu yang sedang dipilih; lajurnya, yang disebut. Berlorek: bertopeng.",
    cross: "Setiap baris ialah token Melayu yang sedang dipilih; lajurnya, token Inggeris yang dipandang.",
  },
  cell: {
    encoder: "{row} memandang {column}: {share}",
    decoder: "Semasa memilih {row}, model memandang {column}: {share}",
    cross: "Semasa memilih {row}, model memandang {column}: {share}",
  },
  rawCell: "{row} mengira {column} sebanyak {score} kali",
  masked: "{column} bertopeng: ia belum disebut semasa {row} dipilih",
  rowOnly: "Baris: {row}",
  columnOnly: "Lajur: {column}",
  hint: "Tuding pada petak, atau gunakan kekunci anak panah.",
  rawNote: "Skor mentah: baris tidak berjumlah 100 %, dan pemberat boleh negatif.",
  noWeight: "Tiada yang diberi perhatian di sini: semua pemberat sifar.",
  legend: "Pemberat",
  legendRaw: "Skor",
  zero: "kosong: 0",
};
