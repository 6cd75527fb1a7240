"""Car makes as people write them in file names, for labels that are read from a name."""

MAKES = tuple(
    name.strip()
    for name in """
    Abarth, AC, Acura, Alfa Romeo, Alpina, Alpine, Aptera, Aston Martin, Audi, Austin, Bentley, BMW,
    Bugatti, Buick, BYD, Cadillac, Caterham, Chery, Chevrolet, Chrysler, Citroen, Cupra, Dacia,
    Daewoo, Daihatsu, Daimler, Datsun, DeLorean, Dodge, DS, Eagle, Ferrari, Fiat, Fisker, Ford,
    Foton, GAC, Geely, Genesis, Geo, GMC, Great Wall, Haval, Hindustan, Holden, Honda, Hummer,
    Hyundai, Infiniti, Isuzu, Iveco, JAC, Jaguar, Jeep, Jensen, Karma, Kia, Koenigsegg, KTM, Lada,
    Lamborghini, Lancia, Land Rover, Lexus, Lincoln, Lotus, Lucid, Mahindra, Maruti, Maserati,
    Maybach, Mazda, McLaren, Mercedes-Benz, Mercury, MG, Mini, Mitsubishi, Morgan, Morris, Nio,
    Nissan, Oldsmobile, Opel, Pagani, Panoz, Perodua, Peugeot, Pininfarina, Plymouth, Polestar,
    Pontiac, Porsche, Proton, Ram, Renault, Rimac, Rivian, Roewe, Rolls-Royce, Rover, Saab, Saleen,
    Saturn, Scion, Seat, Skoda, Smart, Spyker, SsangYong, Studebaker, Subaru, Suzuki, Talbot, Tata,
    Tesla, Toyota, Trabant, Triumph, TVR, Vauxhall, VinFast, Volkswagen, Volvo, Wartburg, Wiesmann,
    Wuling, Xpeng, Zastava, Zeekr
    """.replace("\n", " ").split(",")
)
