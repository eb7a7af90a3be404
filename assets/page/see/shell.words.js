// Every word of the bar below the panes.

export const ENGLISH = {
  title: "See how the Transformer did it",
  tour: "Take the tour",
  names: { inside: "Inside", search: "Search", learn: "Watch it learn", breakit: "Break it" },
  about: {
    inside: "Step by step, with all its attention",
    search: "Which sentences it weighed",
    learn: "From the first second of its training",
    breakit: "What happens when a part is missing",
  },
  needsTranslation: "Translate something first: then this shows how it came about.",
  unreachable: "The server could not be reached. Try again.",
};

export const MALAY = {
  title: "Lihat bagaimana Transformer melakukannya",
  tour: "Ikuti lawatan",
  names: { inside: "Di dalam", search: "Carian", learn: "Lihat ia belajar", breakit: "Rosakkannya" },
  about: {
    inside: "Langkah demi langkah, dengan semua perhatiannya",
    search: "Ayat-ayat yang ditimbangnya",
    learn: "Sejak saat pertama latihannya",
    breakit: "Apa jadi apabila satu bahagian tiada",
  },
  needsTranslation: "Terjemah sesuatu dahulu: kemudian ini menunjukkan bagaimana terjemahan itu terhasil.",
  unreachable: "Pelayan tidak dapat dihubungi. Cuba lagi.",
};
