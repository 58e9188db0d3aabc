module caregrid/vectors/hpke

go 1.26
