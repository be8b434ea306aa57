# Hashes, regular expressions and sorting.
use strict;
my (%count, %after);
my $last = "";
while (my $line = <>) {
    for my $word ($line =~ /([a-z]+)/g) {
        $count{$word}++;
        $after{$last}{substr($word, 0, 1)}++;
        $last = $word;
    }
}
my @most = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print "$_ $count{$_} ", join("", sort keys %{$after{$_}}), "\n" for @most[0 .. 20];
