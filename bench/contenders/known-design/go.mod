module millrace/bench/known-design

go 1.19
