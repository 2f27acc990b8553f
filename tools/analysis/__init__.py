"""What sets a group of records apart, from their texts, vectors and metadata alone.

May import core.

    terms             the words, pairs and character sequences of a text
    stop_words        words that say nothing, by language
    keywords          words that a cluster's texts say and its siblings' do not
    keyword_texts     how many texts hold a keyword, and which one shows it
    exemplars         the few members that show what a cluster is
    rates             shares with their intervals, and q-values
    regions           the parts of a cluster, and which texts stand alone
    ratios            two shares against each other: ratio, interval, p-value
    log_odds          words that tell two sets of texts apart
    metadata_profile  values, numbers and dates over-represented in a cluster
    language          the language of a text; codes and names of languages
    cross_table       cells that hold more or fewer than they should
    series            shares over time: slopes, jumps, silence
    means             means by group, and what each group does to the mean of all
"""
