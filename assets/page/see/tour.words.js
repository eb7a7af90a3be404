// Every word of the tour. Names in braces are filled in with facts of the reader's sentence (tour/facts.js); a sentence
// that names what is not known, or not so, is left out. `step` is the tutorial's.

export const ENGLISH = {
  lang: "en",
  back: "Back",
  next: "Next",
  done: "Done",
  end: "End the tour",
  count: "{number} of {of}",
  example: "My grandmother bought two beautiful orchids at the market yesterday.",
  waiting: { title: "One moment", text: "The tour needs a sentence: an example is being translated." },
  failed: { title: "That did not work", text: "The page could not show this stop. Press Next to try again." },
  counts: {
    words: ["1 word", "{count} words"],
    tokens: ["1 token", "{count} tokens"],
    steps: ["1 step", "{count} steps"],
    numPieces: ["1 token", "{count} tokens"],
    encoderLayers: ["1 encoder layer", "{count} encoder layers"],
    decoderLayers: ["1 decoder layer", "{count} decoder layers"],
    heads: ["1 head", "{count} heads"],
    allHeads: ["1 map", "{count} maps"],
    passedOver: ["1 step", "{count} steps"],
  },
  stops: {
    tokens: {
      step: "Tutorial: the tokenizer",
      title: "Words become tokens",
      text: [
        "Your text has {several} sentences, each read by itself; the tour is about one of them.",
        "The model reads no letters. Your sentence has {words}, and the model reads {tokens}, [SEP] at the end " +
          "among them.",
        "“{split}” became {numPieces}: {pieces}.",
        "Here every word is a token of its own;{unsplit} rarer words become several pieces.",
      ],
    },
    embeddings: {
      step: "Tutorial, steps 4 and 5: embeddings and positions",
      title: "Tokens become vectors",
      text: [
        "For each of the {tokens} the model looks up a vector that it learnt in training.",
        "These vectors say nothing of order, so one of sines and cosines is added for each place, from 0 to " +
          "{lastPlace}.",
        "What that is good for, you will see when we take it away.",
      ],
    },
    encoder: {
      step: "Tutorial, step 9: the encoder and its attention",
      title: "The English reads itself",
      text: [
        "A row is an English token; its columns are what it looks at, and they add up to 100 %.",
        "This is done in {encoderLayers}, one after the other, and only once for the whole translation.",
        "In the last, with the mean of its heads, “{reader}” looks most at “{mostRead}”: {mostReadShare}.",
      ],
    },
    heads: {
      step: "Tutorial: multi-head attention",
      title: "Many heads, many ways to look",
      text: [
        "Each head has queries, keys and values of its own, so that heads of one layer can look at different things.",
        "Here a layer has {heads}. The encoder, the decoder and what joins them have {allHeads} of your sentence.",
        "Choose a head, or switch on “All heads” below to see them beside each other.",
      ],
    },
    mask: {
      step: "Tutorial, step 9: the decoder",
      title: "No looking ahead",
      text: [
        "The Malay was chosen in {steps}, one token at a time. What is hatched had not been said yet.",
        "When “{second}” was chosen, only [CLS], which stands for the beginning, and “{token}” were there to look at.",
        "In training the whole translation is given at once; there a mask hides what comes later, so that " +
          "nothing can be copied.",
      ],
    },
    cross: {
      step: "Tutorial, step 9: the decoder",
      title: "Malay looks at English",
      text: [
        "Cross-attention joins the two: with each Malay token, the decoder looks at what the encoder made of the " +
          "English.",
        "It does so in {decoderLayers}.",
        "For the first token, “{token}”, it looked most at “{looked}”: {lookedShare} in the last layer, mean of " +
          "its heads.",
        "[SEP] often gets{restsOnEnd} what a head has no better place for.",
        "Press another Malay token to see its arcs.",
      ],
    },
    next: {
      step: "Tutorial, step 10: the projection",
      title: "What comes next?",
      text: [
        "At each step every token of the vocabulary gets a score, and softmax makes probabilities of the scores, " +
          "which add up to 100 %.",
        "At the first step “{token}” got {tokenShare}.",
        "Of the others “{other}” was the likeliest: {otherShare}.",
        "The word “{word}” has {wordShare}, the product of its tokens’ probabilities.",
      ],
    },
    search: {
      step: "Tutorial, the last step: malaygpt(text)",
      title: "Greedy or beams",
      text: [
        "The tutorial is greedy: it takes the likeliest token at each step, and cannot take it back.",
        "Your translation was made like that.{onlyGreedy}",
        "Your translation was drawn:{drawn} chance chose each token, the likelier more often.",
        "Your translation kept {beams} beginnings at once, and took the best as a whole.",
        "In it, {passedOver} did not take the token that was likeliest there.",
        "In it, every token was{neverPassedOver} also the likeliest at its step.",
        "Here the two ways stand side by side.",
      ],
    },
    training: {
      step: "Tutorial: training and validation",
      title: "Watch it learn",
      text: [
        "Nobody wrote these weights. They began at random, and were changed a little after each batch of " +
          "sentence pairs.",
        "Move the slider to see what the model said on the way.",
        "Yours is likely not here: these sentences were recorded while it learnt.",
      ],
    },
    breaking: {
      step: "Tutorial, steps 4 to 10, and what goes wrong",
      title: "Take a part away",
      text: [
        "The same model, whole and broken, on your sentence. To begin with, the positions are taken away.",
        "Then try the others below: the additions and normalisations of steps 7 and 8, softmax, a single head. Faults " +
          "of the tutorial’s own code are marked.",
        "Both sides are greedy, so the whole one may differ a little from your translation.",
      ],
    },
    attribution: {
      step: "Beyond the tutorial",
      title: "Attention is no explanation",
      text: [
        "Attention shows where the model looked, not why it chose.",
        "For “{token}” it looked most at “{looked}”; whether the choice depended on that is another question.",
        "Switch on “Attribution”: each token is hidden in turn, and you see how much likelier the choice was with it.",
      ],
    },
    source: {
      step: "Tutorial, step 11: the Transformer",
      title: "Where to go on",
      text: [
        "That is all of it: {encoderLayers}, {decoderLayers}, {heads} in each attention.",
        "These are the model’s numbers. A number with a link leads to the lines of model.py that do it; the file " +
          "can be read from top to bottom.",
        "Then write another sentence, and see what changes.",
      ],
    },
  },
};

export const MALAY = {
  lang: "ms",
  back: "Kembali",
  next: "Seterusnya",
  done: "Selesai",
  end: "Tamatkan lawatan",
  count: "{number} daripada {of}",
  example: "My grandmother bought two beautiful orchids at the market yesterday.",
  waiting: { title: "Sebentar", text: "Lawatan ini memerlukan satu ayat: satu contoh sedang diterjemah." },
  failed: { title: "Tidak berjaya", text: "Hentian ini tidak dapat dipaparkan. Tekan Seterusnya untuk mencuba lagi." },
  counts: {
    words: ["{count} perkataan", "{count} perkataan"],
    tokens: ["{count} token", "{count} token"],
    steps: ["{count} langkah", "{count} langkah"],
    numPieces: ["{count} token", "{count} token"],
    encoderLayers: ["{count} lapisan pengekod", "{count} lapisan pengekod"],
    decoderLayers: ["{count} lapisan penyahkod", "{count} lapisan penyahkod"],
    heads: ["{count} kepala", "{count} kepala"],
    allHeads: ["{count} peta", "{count} peta"],
    passedOver: ["{count} langkah", "{count} langkah"],
  },
  stops: {
    tokens: {
      step: "Tutorial: penoken",
      title: "Perkataan menjadi token",
      text: [
        "Teks anda ada {several} ayat dan setiap satu dibaca berasingan; lawatan ini tentang satu daripadanya.",
        "Model tidak membaca huruf. Ayat anda ada {words}, dan model membaca {tokens}, termasuk [SEP] di hujungnya.",
        "“{split}” menjadi {numPieces}: {pieces}.",
        "Di sini setiap perkataan ialah satu token;{unsplit} perkataan yang jarang menjadi beberapa cebisan.",
      ],
    },
    embeddings: {
      step: "Tutorial, langkah 4 dan 5: pembenaman dan kedudukan",
      title: "Token menjadi vektor",
      text: [
        "Bagi setiap satu daripada {tokens} itu, model mengambil vektor yang dipelajarinya semasa latihan.",
        "Vektor itu tidak menyatakan susunan, jadi satu vektor sinus dan kosinus ditambah bagi setiap kedudukan, " +
          "dari 0 hingga {lastPlace}.",
        "Kegunaannya akan jelas apabila kita membuangnya nanti.",
      ],
    },
    encoder: {
      step: "Tutorial, langkah 9: pengekod dan perhatiannya",
      title: "Ayat Inggeris membaca dirinya",
      text: [
        "Satu baris ialah satu token Inggeris; lajurnya ialah yang dipandangnya, dan jumlahnya 100 %.",
        "Ini dibuat dalam {encoderLayers}, satu demi satu, dan hanya sekali bagi seluruh terjemahan.",
        "Dalam lapisan terakhir, pada purata semua kepalanya, “{reader}” paling banyak memandang “{mostRead}”: " +
          "{mostReadShare}.",
      ],
    },
    heads: {
      step: "Tutorial: perhatian berbilang kepala",
      title: "Banyak kepala, banyak cara memandang",
      text: [
        "Setiap kepala mempunyai pertanyaan, kunci dan nilai sendiri, jadi kepala dalam satu lapisan boleh memandang " +
          "perkara yang berbeza.",
        "Di sini satu lapisan ada {heads}. Pengekod, penyahkod dan penghubung keduanya ada {allHeads} bagi ayat anda.",
        "Pilih satu kepala, atau hidupkan “Semua kepala” di bawah untuk melihat semuanya bersebelahan.",
      ],
    },
    mask: {
      step: "Tutorial, langkah 9: penyahkod",
      title: "Tidak boleh melihat ke hadapan",
      text: [
        "Ayat Melayu dipilih dalam {steps}, satu token pada satu masa. Yang berlorek belum disebut ketika itu.",
        "Semasa “{second}” dipilih, hanya [CLS], yang menandakan permulaan, dan “{token}” yang dapat dipandang.",
        "Semasa latihan, seluruh terjemahan diberikan sekali gus; topeng menyembunyikan yang kemudian supaya " +
          "tiada apa yang dapat ditiru.",
      ],
    },
    cross: {
      step: "Tutorial, langkah 9: penyahkod",
      title: "Bahasa Melayu memandang bahasa Inggeris",
      text: [
        "Perhatian silang menghubungkan keduanya: bagi setiap token Melayu, penyahkod memandang hasil pengekod " +
          "daripada ayat Inggeris.",
        "Ini dibuat dalam {decoderLayers}.",
        "Bagi token pertama, “{token}”, ia paling banyak memandang “{looked}”: {lookedShare} dalam lapisan terakhir, " +
          "purata semua kepalanya.",
        "[SEP] selalu mendapat{restsOnEnd} perhatian yang tiada tempat lebih baik.",
        "Tekan token Melayu yang lain untuk melihat lengkungnya.",
      ],
    },
    next: {
      step: "Tutorial, langkah 10: unjuran",
      title: "Apa seterusnya?",
      text: [
        "Pada setiap langkah, semua token dalam kosa kata mendapat skor, dan softmax menukarnya menjadi " +
          "kebarangkalian yang berjumlah 100 %.",
        "Pada langkah pertama, “{token}” mendapat {tokenShare}.",
        "Antara yang lain, “{other}” paling berkemungkinan: {otherShare}.",
        "Perkataan “{word}” mendapat {wordShare}, iaitu hasil darab kebarangkalian tokennya.",
      ],
    },
    search: {
      step: "Tutorial, langkah terakhir: malaygpt(text)",
      title: "Tamak atau alur",
      text: [
        "Tutorial itu tamak: ia mengambil token paling berkemungkinan pada setiap langkah dan tidak boleh menariknya " +
          "balik.",
        "Terjemahan anda dibuat begitu.{onlyGreedy}",
        "Terjemahan anda dicabut secara rawak:{drawn} token yang lebih berkemungkinan lebih kerap terpilih.",
        "Terjemahan anda menyimpan {beams} permulaan serentak, lalu mengambil yang terbaik secara keseluruhan.",
        "Di dalamnya, {passedOver} tidak mengambil token yang paling berkemungkinan di situ.",
        "Di dalamnya, setiap token juga{neverPassedOver} yang paling berkemungkinan pada langkahnya.",
        "Di sini kedua-dua cara itu bersebelahan.",
      ],
    },
    training: {
      step: "Tutorial: latihan dan pengesahan",
      title: "Lihat model belajar",
      text: [
        "Tiada sesiapa menulis pemberat ini. Ia bermula secara rawak dan diubah sedikit selepas setiap kelompok " +
          "pasangan ayat.",
        "Gerakkan gelangsar untuk melihat apa yang disebut oleh model dalam perjalanannya.",
        "Ayat anda mungkin tiada di sini: ayat-ayat ini dirakam semasa model belajar.",
      ],
    },
    breaking: {
      step: "Tutorial, langkah 4 hingga 10, dan kesilapannya",
      title: "Buang satu bahagian",
      text: [
        "Model yang sama, lengkap dan rosak, pada ayat anda. Pada mulanya, kedudukan dibuang.",
        "Kemudian cuba yang lain di bawah: penambahan dan penormalan dalam langkah 7 dan 8, softmax, satu kepala. " +
          "Kesilapan dalam kod tutorial itu sendiri ditanda.",
        "Kedua-duanya memilih secara tamak, jadi model lengkap mungkin berbeza sedikit daripada terjemahan anda.",
      ],
    },
    attribution: {
      step: "Melangkaui tutorial",
      title: "Perhatian bukan penjelasan",
      text: [
        "Perhatian menunjukkan ke mana model memandang, bukan sebab pilihannya.",
        "Bagi “{token}” ia paling banyak memandang “{looked}”; sama ada pilihan itu bergantung padanya ialah " +
          "soal lain.",
        "Hidupkan “Atribusi”: token disembunyikan satu demi satu, dan anda melihat betapa lebih berkemungkinan " +
          "pilihan itu dengan adanya token tersebut.",
      ],
    },
    source: {
      step: "Tutorial, langkah 11: Transformer",
      title: "Ke mana selepas ini",
      text: [
        "Itulah semuanya: {encoderLayers}, {decoderLayers}, {heads} dalam setiap perhatian.",
        "Inilah model dalam angka. Angka yang berpautan membawa anda kepada baris model.py yang melakukannya; " +
          "fail itu boleh dibaca dari atas ke bawah.",
        "Kemudian tulis ayat lain, dan lihat apa yang berubah.",
      ],
    },
  },
};
