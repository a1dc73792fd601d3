/* Public keys whose private halves nobody has kept. */
#ifndef PW_TEST_PUBLIC_KEYS_H
#define PW_TEST_PUBLIC_KEYS_H

#define TEST_EC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9/t3Ufe7tu49A3apXKgHqv8i7tpz\n" \
	"AZJ9UzB33990Tt5FilEuvhPfK0wCmP3ybdwR3WSxSSlIoVQ0HKz5UtPEqw==\n" \
	"-----END PUBLIC KEY-----\n"

#define TEST_OTHER_EC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzzIPUAt6CJTVnYX9ismPVEwr+1g6\n" \
	"SR32jjg0NwDPaohqL4/iYP/Zv8pk1muZjUaCj9VBuwLxsVP4ZZr92a3+bA==\n" \
	"-----END PUBLIC KEY-----\n"

#define TEST_RSA_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApFPzC+wziLbYkKsu5Wuf\n" \
	"M4Ot0USYBqSf1+ks1O6HZokUlXWwNR7nZ47l+WaorAmKq1/mwiItiS7Smd2e5i5/\n" \
	"a4L9Kabygl/un7IFOz3X8Sc0gAw01ilZKc4glysysuTTckcftfw52lIz8/ckjqPX\n" \
	"MMquCeDKEzt1P0G050/iUTQg0Puz+/iJYjKM+RhS61m9PFmTalh/d2geo8UCixCi\n" \
	"ZawkMVeIcLnVFBQ7eO7Nd1rIsfuUbdoAbhXYnJqbSRw9ftRea0PPqVWeygv6+fs9\n" \
	"N6pKJCCCv45dvDYEmJuIUxUEE8iv7wJykC8aSM5hfvzghs5EoXnZs8ivSypjjnKZ\n" \
	"kwIDAQAB\n" \
	"-----END PUBLIC KEY-----\n"

#endif
