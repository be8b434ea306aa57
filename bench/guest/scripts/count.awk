# How often each word occurs; prints those that begin with "sa", in a sum that does not depend on the order.
{
  for (i = 1; i <= NF; ++i) {
    word = tolower($i)
    gsub(/[^a-z]/, "", word)
    ++count[word]
  }
}
END {
  for (word in count) {
    total += count[word] * length(word)
    if (word ~ /^sa/) ++kinds
  }
  print total, kinds
}
